/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Follows one collection of the API: lists it, watches it from the list's resourceVersion on, and
 * tells its handlers about each object that is there, changed or gone. It keeps only keys, UIDs and
 * resource versions, so that a list after a gap yields the deletions that the watch missed; what
 * else is worth keeping of an object is for the handlers to say.
 */
#ifndef SKEP_LIB_KUBE_INFORMER_H
#define SKEP_LIB_KUBE_INFORMER_H

#include <stdint.h>

#include "lib/kube/client.h"

struct kube_informer;

struct kube_informer_handlers {
	/*
	 * The object is new or changed. It belongs to the informer and lives for the call. Objects
	 * of a list come without apiVersion and kind, as the API sends them.
	 */
	void (*upsert)(void *context, const cJSON *object);
	/* The object is gone. `namespace` is "" for a cluster-scoped one. */
	void (*remove)(void *context, const char *namespace, const char *name, const char *uid);
	/* The first list is complete: every object of it has been told. Called once. */
	void (*synced)(void *context);
};

/* Figures for metrics. */
struct kube_informer_stats {
	uint64_t objects;     /* known now */
	uint64_t lists;	      /* complete lists, the first included */
	uint64_t watches;     /* watches started */
	uint64_t events;      /* watch events handled */
	uint64_t failures;    /* lists and watches that failed (backed off and tried again) */
	uint64_t bad_objects; /* lines or objects that could not be decoded; skipped and logged */
};

/*
 * Starts to follow `path`, e.g. "/api/v1/pods" or "/apis/skep.dev/v1alpha1/observabilitypolicies";
 * `query` is NULL or further parameters ("fieldSelector=..."). `handlers` are copied. End it with
 * kube_informer_free() before the client.
 */
int kube_informer_new(struct kube_client *client, const char *path, const char *query,
		      const struct kube_informer_handlers *handlers, void *context,
		      struct kube_informer **ret_informer, struct error *error);

/*
 * Ends it: no handler is called any more. Not to be called from within its own handlers. Returns
 * NULL at once; the loop must run on for the last memory to be freed.
 */
struct kube_informer *kube_informer_free(struct kube_informer *informer);

struct kube_informer_stats kube_informer_stats(const struct kube_informer *informer);

#endif
