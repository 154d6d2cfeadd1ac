/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The inside of an informer. Its life is: list all pages, then watch from the list's version on;
 * when either fails or ends, wait, then watch again from the last version or, where that is not
 * known or not good any more, list again.
 */
#ifndef SKEP_LIB_KUBE_INFORMER_INTERNAL_H
#define SKEP_LIB_KUBE_INFORMER_INTERNAL_H

#include <stdbool.h>

#include <uv.h>

#include "lib/base/backoff.h"
#include "lib/kube/informer_settings.h"
#include "lib/kube/list_decoder.h"
#include "lib/kube/object_table.h"
#include "lib/kube/transfer.h"
#include "lib/kube/watch_decoder.h"

struct kube_informer {
	struct kube_client *client;
	uv_loop_t *uv;
	char *path;
	char *query;
	struct kube_informer_settings settings;
	struct kube_informer_handlers handlers;
	void *context;
	struct kube_informer_stats stats;
	struct object_table objects;
	uv_timer_t timer; /* the next try, or the end of the watch */
	struct backoff backoff;
	uint32_t failures_in_row;
	bool is_synced;
	bool is_bad_object_logged;	/* in this list or watch */
	struct kube_transfer *transfer; /* the page or watch that is under way, or NULL */

	char *resource_version; /* where to watch from; NULL: list first */

	char *list_version; /* of the list that is under way */
	char *list_token;   /* of the page that is under way; NULL for the first */
	char *next_token;   /* of the page after it, as far as it is known */
	bool page_is_whole;
	struct list_decoder page_decoder;

	struct watch_decoder decoder;
	uint32_t watch_seconds;	 /* that the watch was asked to last */
	uint64_t watch_started;	 /* ms, uv_now() */
	uint64_t watch_events;	 /* good ones of this watch */
	bool watch_is_corrupted; /* it sent a line that could not be read */
};

/* Does what is next: a list or a watch. */
void informer_proceed(struct kube_informer *informer);

/* Starts a list from its first page. */
void informer_list(struct kube_informer *informer);

/* Starts a watch from the known version. */
void informer_watch(struct kube_informer *informer);

/* Proceeds after a pause, at least `retry_after_seconds` (bounded). */
void informer_pause(struct kube_informer *informer, int retry_after_seconds);

/* Counts and logs a failure, then pauses. */
void informer_fail(struct kube_informer *informer, const char *reason, int retry_after_seconds);

/* The server answers as it should again: says so if it was logged otherwise. */
void informer_recover(struct kube_informer *informer);

/* Forgets where the watch stands, so that a list comes next. */
void informer_forget_version(struct kube_informer *informer);

/* Learns an object that is there; tells the handlers if it is news. 0, -ENOMEM, or -EINVAL. */
int informer_learn(struct kube_informer *informer, const cJSON *object, struct error *error);

/* Forgets an object of that name, whatever its UID; returns as above. */
int informer_drop(struct kube_informer *informer, const cJSON *object, struct error *error);

/* Learns that an object is gone; tells the handlers if it was known. Returns as above. */
int informer_unlearn(struct kube_informer *informer, const cJSON *object, struct error *error);

/* Tells the handlers of a known object that is gone. Fits object_table_sweep(). */
void informer_tell_removed(void *informer, const struct object_identity *identity);

/* Counts what could not be decoded, and logs the first of a list or watch. */
void informer_count_bad(struct kube_informer *informer, const char *reason);

/* Counts an object that is too large; `object` is what oversized_object() made, or NULL. */
void informer_count_oversized(struct kube_informer *informer, const cJSON *object);

/* Replaces a string by a copy. Returns 0, or -ENOMEM with the string NULL. */
int informer_set_string(char **string, const char *value);

#endif
