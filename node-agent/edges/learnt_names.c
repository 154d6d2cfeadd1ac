// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/edges/learnt_names.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

struct name_pod {
	char *uid;
	struct learnt_name *names; /* by address; the one used longest ago first */
	UT_hash_handle hh;
};

struct learnt_name {
	struct ip_address address;
	struct name_pod *pod;
	char *name;
	uint64_t until;
	struct learnt_name *prev, *next;
	UT_hash_handle hh;
};

static struct name_pod *find_pod(const struct learnt_names *names, const char *uid)
{
	struct name_pod *pod;

	HASH_FIND_STR(names->pods, uid, pod);
	return pod;
}

static struct learnt_name *find_name(const struct name_pod *pod, const struct ip_address *address)
{
	struct learnt_name *name;

	HASH_FIND(hh, pod->names, address, sizeof(*address), name);
	return name;
}

static void remove_pod(struct learnt_names *names, struct name_pod *pod)
{
	HASH_DEL(names->pods, pod);
	free(pod->uid);
	free(pod);
}

/* A pod without names is not kept. */
static void remove_name(struct learnt_names *names, struct learnt_name *name)
{
	struct name_pod *pod = name->pod;

	HASH_DEL(pod->names, name);
	DL_DELETE(names->names, name);
	names->count--;
	free(name->name);
	free(name);
	if (!pod->names)
		remove_pod(names, pod);
}

/* Moves it to the end of both orders. */
static void use_name(struct learnt_names *names, struct learnt_name *name, uint64_t until)
{
	if (name->until < until)
		name->until = until;
	table_move_to_end(name->pod->names, name);
	DL_DELETE(names->names, name);
	DL_APPEND(names->names, name);
}

static struct name_pod *ensure_pod(struct learnt_names *names, const char *uid)
{
	struct name_pod *pod = find_pod(names, uid);

	if (pod)
		return pod;
	pod = calloc(1, sizeof(*pod));
	if (!pod)
		return NULL;
	pod->uid = strdup(uid);
	if (!pod->uid) {
		free(pod);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, names->pods, pod->uid, strlen(pod->uid), pod);
	if (is_in_table(pod))
		return pod;
	free(pod->uid);
	free(pod);
	return NULL;
}

/* Puts it at the end of both orders; false: no memory. */
static bool append_name(struct learnt_names *names, struct learnt_name *name)
{
	HASH_ADD(hh, name->pod->names, address, sizeof(name->address), name);
	if (!is_in_table(name))
		return false;
	DL_APPEND(names->names, name);
	names->count++;
	return true;
}

static void add_name(struct learnt_names *names, const char *pod_uid,
		     const struct ip_address *address, char *name, uint64_t until)
{
	struct learnt_name *learnt = calloc(1, sizeof(*learnt));
	struct name_pod *pod = learnt ? ensure_pod(names, pod_uid) : NULL;

	if (pod)
		*learnt = (struct learnt_name){
			.address = *address, .pod = pod, .name = name, .until = until};
	if (!pod || !append_name(names, learnt)) {
		if (pod && !pod->names)
			remove_pod(names, pod);
		free(learnt);
		free(name);
		return;
	}
	if (HASH_COUNT(pod->names) > LEARNT_NAMES_POD_LIMIT)
		remove_name(names, pod->names);
	else if (names->count > LEARNT_NAMES_LIMIT)
		remove_name(names, names->names);
}

static bool is_name(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (!isascii(name[i]) || !isgraph(name[i]))
			return false;
	return length > 0 && length < LEARNT_NAMES_SIZE;
}

void learnt_names_add(struct learnt_names *names, const char *pod_uid,
		      const struct ip_address *address, const char *name, uint32_t ttl_s,
		      uint64_t now)
{
	uint64_t ttl_ms =
		1000ULL * (ttl_s < LEARNT_NAMES_TTL_LIMIT ? ttl_s : LEARNT_NAMES_TTL_LIMIT);
	uint64_t until = now + (ttl_ms > LEARNT_NAMES_KEEP_MS ? ttl_ms : LEARNT_NAMES_KEEP_MS);
	const struct name_pod *pod = find_pod(names, pod_uid);
	struct learnt_name *known = pod ? find_name(pod, address) : NULL;
	char *copy;

	if (!is_name(name))
		return;
	if (known && strcmp(known->name, name) == 0) {
		use_name(names, known, until);
		return;
	}
	copy = strdup(name);
	if (!copy)
		return;
	if (known)
		remove_name(names, known);
	add_name(names, pod_uid, address, copy, until);
}

const char *learnt_names_find(struct learnt_names *names, const char *pod_uid,
			      const struct ip_address *address, uint64_t now)
{
	const struct name_pod *pod = find_pod(names, pod_uid);
	struct learnt_name *name = pod ? find_name(pod, address) : NULL;

	if (!name)
		return "";
	if (name->until <= now) {
		remove_name(names, name);
		return "";
	}
	use_name(names, name, now + LEARNT_NAMES_KEEP_MS);
	return name->name;
}

/* With its last name, the pod itself goes. */
static void forget_pod(struct learnt_names *names, struct name_pod *pod)
{
	for (size_t left = HASH_COUNT(pod->names); left > 0; left--)
		remove_name(names, pod->names);
}

void learnt_names_forget_pod(struct learnt_names *names, const char *pod_uid)
{
	struct name_pod *pod = find_pod(names, pod_uid);

	if (pod)
		forget_pod(names, pod);
}

void learnt_names_clear(struct learnt_names *names)
{
	struct name_pod *pod, *next;

	HASH_ITER(hh, names->pods, pod, next)
		forget_pod(names, pod);
}
