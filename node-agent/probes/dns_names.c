// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_names.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. */
static uint32_t hash_of(const char *data, size_t length)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)data[i]) * 16777619U;
	return hash;
}

static const char *find(const struct dns_names *names, const char *name, size_t length,
			uint32_t hash)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->hashes[i] == hash && strncmp(names->names[i], name, length) == 0 &&
		    names->names[i][length] == '\0')
			return names->names[i];
	return NULL;
}

/* Leaves a trace of a lookup; true where one of the same lookup is there already. */
static bool seen_before(struct dns_names *names, uint32_t hash, uint16_t type)
{
	uint32_t trace = (hash ^ type) * 16777619U;
	uint32_t *place = &names->seen[trace % DNS_NAMES_SEEN];
	bool before = *place == trace && trace;

	*place = trace;
	return before;
}

const char *dns_names_admit(struct dns_names *names, const char *name, size_t length, uint16_t type,
			    bool exists)
{
	uint32_t hash = hash_of(name, length);
	const char *found = find(names, name, length, hash);
	bool at_once = exists && names->count < DNS_NAMES_FREE;
	char *copy;

	if (found)
		return found;
	if (names->count == DNS_NAMES_LIMIT || (!at_once && !seen_before(names, hash, type)))
		return DNS_NAMES_OTHER;
	copy = strndup(name, length);
	if (!copy)
		return DNS_NAMES_OTHER;
	names->hashes[names->count] = hash;
	return names->names[names->count++] = copy;
}

void dns_names_free(struct dns_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	names->count = 0;
}
