// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/edges/learnt_names.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

struct name_namespace {
	char *name;
	size_t pods;
	struct learnt_name *names; /* of them, a list; the one used longest ago first */
	size_t count;
	UT_hash_handle hh;
};

struct name_pod {
	char *uid;
	struct name_namespace *namespace;
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

static void namespace_free(struct name_namespace *namespace)
{
	free(namespace->name);
	free(namespace);
}

/* A namespace without pods is not kept. */
static void remove_namespace(struct learnt_names *names, struct name_namespace *namespace)
{
	HASH_DEL(names->namespaces, namespace);
	namespace_free(namespace);
}

static void pod_free(struct learnt_names *names, struct name_pod *pod)
{
	if (--pod->namespace->pods == 0)
		remove_namespace(names, pod->namespace);
	free(pod->uid);
	free(pod);
}

static void remove_pod(struct learnt_names *names, struct name_pod *pod)
{
	HASH_DEL(names->pods, pod);
	pod_free(names, pod);
}

/* A pod without names is not kept. */
static void remove_name(struct learnt_names *names, struct learnt_name *name)
{
	struct name_pod *pod = name->pod;

	HASH_DEL(pod->names, name);
	DL_DELETE(pod->namespace->names, name);
	pod->namespace->count--;
	names->count--;
	free(name->name);
	free(name);
	if (!pod->names)
		remove_pod(names, pod);
}

/* Moves it to the end of both orders. */
static void use_name(struct learnt_name *name, uint64_t until)
{
	struct name_namespace *namespace = name->pod->namespace;

	if (name->until < until)
		name->until = until;
	table_move_to_end(name->pod->names, name);
	DL_DELETE(namespace->names, name);
	DL_APPEND(namespace->names, name);
}

static struct name_namespace *ensure_namespace(struct learnt_names *names, const char *name)
{
	struct name_namespace *namespace;

	HASH_FIND_STR(names->namespaces, name, namespace);
	if (namespace)
		return namespace;
	namespace = calloc(1, sizeof(*namespace));
	if (!namespace)
		return NULL;
	namespace->name = strdup(name);
	if (namespace->name)
		HASH_ADD_KEYPTR(hh, names->namespaces, namespace->name, strlen(namespace->name),
				namespace);
	if (is_in_table(namespace))
		return namespace;
	namespace_free(namespace);
	return NULL;
}

/* In no table yet; NULL: no memory. */
static struct name_pod *pod_new(struct learnt_names *names, const char *namespace, const char *uid)
{
	struct name_pod *pod = calloc(1, sizeof(*pod));

	if (!pod)
		return NULL;
	pod->namespace = ensure_namespace(names, namespace);
	if (!pod->namespace) {
		free(pod);
		return NULL;
	}
	pod->namespace->pods++;
	pod->uid = strdup(uid);
	return pod;
}

static struct name_pod *ensure_pod(struct learnt_names *names, const char *namespace,
				   const char *uid)
{
	struct name_pod *pod = find_pod(names, uid);

	if (pod)
		return pod;
	pod = pod_new(names, namespace, uid);
	if (!pod)
		return NULL;
	if (pod->uid)
		HASH_ADD_KEYPTR(hh, names->pods, pod->uid, strlen(pod->uid), pod);
	if (is_in_table(pod))
		return pod;
	pod_free(names, pod);
	return NULL;
}

/* What makes room for a name of `most`, or of whoever has more: nobody takes room of who has less.
 */
static struct learnt_name *least_wanted(const struct learnt_names *names,
					const struct name_namespace *most)
{
	for (const struct name_namespace *other = names->namespaces; other; other = other->hh.next)
		if (other->count > most->count)
			most = other;
	return most->names;
}

/* Puts it at the end of both orders; false: no memory. */
static bool append_name(struct learnt_names *names, struct learnt_name *name)
{
	HASH_ADD(hh, name->pod->names, address, sizeof(name->address), name);
	if (!is_in_table(name))
		return false;
	DL_APPEND(name->pod->namespace->names, name);
	name->pod->namespace->count++;
	names->count++;
	return true;
}

/* Takes the name over. */
static void add_name(struct learnt_names *names, struct name_pod *pod,
		     const struct ip_address *address, char *name, uint64_t until)
{
	struct learnt_name *learnt = calloc(1, sizeof(*learnt));

	if (learnt)
		*learnt = (struct learnt_name){
			.address = *address, .pod = pod, .name = name, .until = until};
	if (!learnt || !append_name(names, learnt)) {
		if (!pod->names)
			remove_pod(names, pod);
		free(learnt);
		free(name);
		return;
	}
	if (HASH_COUNT(pod->names) > LEARNT_NAMES_POD_LIMIT)
		remove_name(names, pod->names);
	else if (names->count > LEARNT_NAMES_LIMIT)
		remove_name(names, least_wanted(names, pod->namespace));
}

static bool is_name(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (!isascii(name[i]) || !isgraph(name[i]))
			return false;
	return length > 0 && length < LEARNT_NAMES_SIZE;
}

void learnt_names_add(struct learnt_names *names, const char *namespace, const char *pod_uid,
		      const struct ip_address *address, const char *name, uint32_t ttl_s,
		      uint64_t now)
{
	uint64_t ttl_ms =
		1000ULL * (ttl_s < LEARNT_NAMES_TTL_LIMIT ? ttl_s : LEARNT_NAMES_TTL_LIMIT);
	uint64_t until = now + (ttl_ms > LEARNT_NAMES_KEEP_MS ? ttl_ms : LEARNT_NAMES_KEEP_MS);
	struct name_pod *pod = find_pod(names, pod_uid);
	struct learnt_name *known = pod ? find_name(pod, address) : NULL;
	char *copy;

	if (!is_name(name))
		return;
	if (known && strcmp(known->name, name) == 0) {
		use_name(known, until);
		return;
	}
	copy = strdup(name);
	if (!copy)
		return;
	if (known)
		remove_name(names, known);
	pod = ensure_pod(names, namespace, pod_uid);
	if (pod)
		add_name(names, pod, address, copy, until);
	else
		free(copy);
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
	use_name(name, now + LEARNT_NAMES_KEEP_MS);
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
