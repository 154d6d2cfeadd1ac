// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/redact_tools.h"

#include <stddef.h>
#include <string.h>

static const struct tool tools[] = {
	{"mysql", "p", TOOL_ATTACHED},
	{"mysqldump", "p", TOOL_ATTACHED},
	{"mysqladmin", "p", TOOL_ATTACHED},
	{"mysqlimport", "p", TOOL_ATTACHED},
	{"mysqlsh", "p", TOOL_ATTACHED},
	{"mariadb", "p", TOOL_ATTACHED},
	{"mariadb-dump", "p", TOOL_ATTACHED},
	{"mariadb-admin", "p", TOOL_ATTACHED},
	{"7z", "p", TOOL_ATTACHED},
	{"7za", "p", TOOL_ATTACHED},
	{"sshpass", "p", TOOL_EITHER},
	{"mongo", "p", TOOL_EITHER},
	{"mongosh", "p", TOOL_EITHER},
	{"mongodump", "p", TOOL_EITHER},
	{"mongorestore", "p", TOOL_EITHER},
	{"redis-cli", "a", TOOL_EITHER},
	{"valkey-cli", "a", TOOL_EITHER},
	{"login", "p", TOOL_EITHER},
	{"sqlcmd", "P", TOOL_EITHER},
	{"bcp", "P", TOOL_EITHER},
	{"zip", "P", TOOL_EITHER},
	{"unzip", "P", TOOL_EITHER},
	{"ipmitool", "P", TOOL_EITHER},
	{"ldapsearch", "w", TOOL_EITHER},
	{"ldapadd", "w", TOOL_EITHER},
	{"ldapmodify", "w", TOOL_EITHER},
	{"ldapdelete", "w", TOOL_EITHER},
	{"ldapwhoami", "w", TOOL_EITHER},
	{"curl", "uU", TOOL_USER},
	{"http", "a", TOOL_USER},
	{"https", "a", TOOL_USER},
};

const struct tool *tool_find(const char *word)
{
	const char *slash = strrchr(word, '/');
	const char *name = slash ? slash + 1 : word;

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (strcmp(tools[i].name, name) == 0)
			return &tools[i];
	return NULL;
}
