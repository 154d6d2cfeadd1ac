// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/budget/namespaces.h"

#include <stdlib.h>
#include <string.h>

static void namespace_free(struct namespace *namespace)
{
	free(namespace->name);
	free(namespace);
}

static struct namespace *namespace_add(struct namespaces *namespaces, const char *name)
{
	struct namespace *namespace = calloc(1, sizeof(*namespace));

	if (!namespace)
		return NULL;
	namespace->name = strdup(name);
	if (namespace->name)
		HASH_ADD_KEYPTR(hh, namespaces->table, namespace->name, strlen(namespace->name),
				namespace);
	if (!is_in_table(namespace)) {
		namespace_free(namespace);
		return NULL;
	}
	namespace->number = ++namespaces->last_number;
	return namespace;
}

struct namespace *namespaces_join(struct namespaces *namespaces, const char *name)
{
	struct namespace *joined;

	HASH_FIND_STR(namespaces->table, name, joined);
	if (!joined)
		joined = namespace_add(namespaces, name);
	if (joined)
		joined->users++;
	return joined;
}

void namespaces_leave(struct namespaces *namespaces, struct namespace *namespace)
{
	if (!namespace || --namespace->users)
		return;
	HASH_DEL(namespaces->table, namespace);
	namespace_free(namespace);
}
