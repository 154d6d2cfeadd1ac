/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The times and sizes of an informer, for who needs others than the usual: tests, large fleets. */
#ifndef SKEP_LIB_KUBE_INFORMER_SETTINGS_H
#define SKEP_LIB_KUBE_INFORMER_SETTINGS_H

#include <stdint.h>

#include "lib/kube/informer.h"

struct kube_informer_settings {
	uint32_t page_limit;	      /* objects of one page of a list */
	uint32_t backoff_least;	      /* ms before the first new try */
	uint32_t backoff_most;	      /* ms, which the wait doubles up to */
	uint32_t watch_least_seconds; /* a watch is asked to last between these two, so that */
	uint32_t watch_most_seconds;  /* the watches of many clients do not end together */
	uint32_t watch_margin;	      /* ms beyond its own end, after which a watch is dead */
	uint32_t page_seconds;	      /* that one page of a list may take */
	uint32_t sound_after;	      /* ms after which a watch without events was a success */
	uint32_t object_limit;	      /* bytes of one object; larger ones are as if not there */
	uint32_t (*random)(void *context);
	void *random_context;
};

/* The usual ones, with the kernel's random numbers. */
struct kube_informer_settings kube_informer_default_settings(void);

/* kube_informer_new() with settings, which are copied. */
int kube_informer_new_with(struct kube_client *client, const char *path, const char *query,
			   const struct kube_informer_settings *settings,
			   const struct kube_informer_handlers *handlers, void *context,
			   struct kube_informer **ret_informer, struct error *error);

#endif
