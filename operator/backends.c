// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/backends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LIMIT 253

struct backend {
	const struct service *service;
	const struct pod *pod; /* NULL: none, or of several workloads */
	UT_hash_handle hh;
};

struct service *backends_find_service(const struct cluster *cluster, const char *namespace,
				      const char *name)
{
	char id[2 * NAME_LIMIT + 2];
	int length = snprintf(id, sizeof(id), "%s/%s", namespace, name);

	return (size_t)length < sizeof(id) ? cluster_find_service(cluster, id) : NULL;
}

static bool selects(const struct labels *selector, const struct pod *pod)
{
	for (size_t i = 0; i < selector->count; i++) {
		const char *value = labels_get(&pod->labels, selector->items[i].key);

		if (!value || strcmp(value, selector->items[i].value) != 0)
			return false;
	}
	return !pod->finished;
}

static bool same_workload(const struct pod *a, const struct pod *b)
{
	return strcmp(a->workload_kind, b->workload_kind) == 0 &&
	       strcmp(a->workload_name, b->workload_name) == 0;
}

/* A Service without a selector has its addresses from elsewhere. */
static const struct pod *look(const struct cluster *cluster, const struct service *service)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(cluster, service->namespace);
	const struct pod *found = NULL, *pod;

	if (!namespace || service->selector.count == 0)
		return NULL;
	for (pod = namespace->pods; pod; pod = pod->namespace_next) {
		if (!selects(&service->selector, pod))
			continue;
		if (found && !same_workload(found, pod))
			return NULL;
		found = pod;
	}
	return found;
}

const struct pod *backends_find(struct backends *backends, const struct cluster *cluster,
				const struct service *service)
{
	struct backend *backend;
	const struct pod *pod;

	HASH_FIND_PTR(backends->found, &service, backend);
	if (backend)
		return backend->pod;
	backend = calloc(1, sizeof(*backend));
	if (!backend)
		return look(cluster, service);
	backend->service = service;
	backend->pod = pod = look(cluster, service);
	HASH_ADD_PTR(backends->found, service, backend);
	if (!is_in_table(backend))
		free(backend); /* it is looked for again */
	return pod;
}

void backends_clear(struct backends *backends)
{
	struct backend *backend, *next;

	HASH_ITER(hh, backends->found, backend, next) {
		HASH_DEL(backends->found, backend);
		free(backend);
	}
}
