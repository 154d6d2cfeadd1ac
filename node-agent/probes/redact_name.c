// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * A name is cut into its parts ("dbPasswordFile" and "DB_PASSWORD_FILE" into db, password, file).
 * The last part says what the value is; a file, a length or a type is no secret.
 */

#include "node-agent/probes/redact_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define PARTS_LIMIT 16
#define PART_SIZE   32 /* longer parts are cut: no word below is as long */

struct parts {
	char items[PARTS_LIMIT][PART_SIZE]; /* lower case */
	size_t count;
};

/* Anywhere in a part: PGPASSWORD, clientsecret. */
static const char *const sure[] = {"password",	 "passwd", "passphrase", "secret",
				   "credential", "apikey", NULL};

/* As the last part. */
static const char *const likely[] = {"pass",	   "pwd",	"pw",	      "token",
				     "tokens",	   "key",	"keys",	      "auth",
				     "cookie",	   "cookies",	"session",    "sessionid",
				     "private",	   "signature", "sig",	      "cred",
				     "creds",	   "bearer",	"jwt",	      "authorization",
				     "accesskey",  "authtoken", "privatekey", "secretkey",
				     "accountkey", NULL};

/* As the last part: the value is about the secret, not the secret. */
static const char *const about[] = {
	"file",	  "files", "path",     "dir",	   "directory", "type",	   "ttl",	"timeout",
	"length", "size",  "name",     "names",	   "algorithm", "method",  "mode",	"policy",
	"url",	  "uri",   "endpoint", "host",	   "port",	"format",  "version",	"count",
	"max",	  "min",   "lifetime", "expiry",   "rotation",	"enabled", "required",	"prompt",
	"stdin",  "ref",   "manager",  "provider", "store",	"class",   "namespace", NULL};

/* Before "key": no secret key. */
static const char *const open_keys[] = {"public",    "sort",  "primary", "foreign",
					"partition", "group", "index",	 NULL};

/* Behind a part that is likely: part of it all the same. */
static const char *const neutral[] = {"id",	"value", "data",   "string",
				      "base64", "b64",	 "header", NULL};

static bool listed(const char *const *list, const char *part)
{
	for (; *list; list++)
		if (strcmp(*list, part) == 0)
			return true;
	return false;
}

static bool contains_sure(const char *part)
{
	for (const char *const *word = sure; *word; word++)
		if (strstr(part, *word))
			return true;
	return false;
}

static bool begins_part(const char *name, size_t at)
{
	return at == 0 || !isalnum((unsigned char)name[at - 1]) ||
	       (isupper((unsigned char)name[at]) && islower((unsigned char)name[at - 1]));
}

static void split(const char *name, size_t length, struct parts *parts)
{
	size_t used = 0;

	memset(parts, 0, sizeof(*parts));
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)name[i]))
			continue;
		if (begins_part(name, i)) {
			if (parts->count == PARTS_LIMIT)
				return;
			parts->count++;
			used = 0;
		}
		if (used < PART_SIZE - 1)
			parts->items[parts->count - 1][used++] =
				(char)tolower((unsigned char)name[i]);
	}
}

static bool any_sure(const struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		if (contains_sure(parts->items[i]))
			return true;
	return false;
}

/* "PWD" and "OLDPWD" are the shell's working directories. */
static bool is_working_directory(const char *name, size_t length)
{
	return (length == 3 && memcmp(name, "PWD", 3) == 0) ||
	       (length == 6 && memcmp(name, "OLDPWD", 6) == 0);
}

enum secrecy redact_name_secrecy(const char *name, size_t length)
{
	struct parts parts;
	size_t last;

	split(name, length, &parts);
	if (parts.count == 0 || is_working_directory(name, length) ||
	    strcmp(parts.items[0], "no") == 0)
		return SECRECY_NONE;
	last = parts.count - 1;
	if (listed(about, parts.items[last]))
		return SECRECY_NONE;
	if (any_sure(&parts))
		return SECRECY_SURE;
	if (last > 0 && listed(neutral, parts.items[last]))
		last--;
	if (last > 0 && listed(open_keys, parts.items[last - 1]))
		return SECRECY_NONE;
	return listed(likely, parts.items[last]) ? SECRECY_LIKELY : SECRECY_NONE;
}
