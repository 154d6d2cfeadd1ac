/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Turns the bytes of a watch, as they come, into its events: one JSON object a line
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
 */
#ifndef SKEP_LIB_KUBE_WATCH_DECODER_H
#define SKEP_LIB_KUBE_WATCH_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/kube/decode_buffer.h"

enum watch_event_type {
	WATCH_EVENT_ADDED,
	WATCH_EVENT_MODIFIED,
	WATCH_EVENT_DELETED,
	WATCH_EVENT_BOOKMARK,
	WATCH_EVENT_ERROR,
	WATCH_EVENT_UNKNOWN, /* of a type that is not known here */
};

struct watch_event {
	enum watch_event_type type;
	bool is_oversized; /* the line is beyond the limit; only metadata is known of the object */
	const cJSON *object; /* what the event is about; part of `line` */
	cJSON *line;	     /* the decoded line */
};

/* Start with `line_limit` set and all else zero. */
struct watch_decoder {
	size_t line_limit;	      /* bytes */
	struct decode_buffer buffer;  /* what is scanned holds no further line end */
	struct watch_event oversized; /* what the line that is being skipped is about */
	bool is_skipping;	      /* the rest of a line beyond the limit */
};

/* Takes bytes in. Returns 0 or -ENOMEM. */
int watch_decoder_push(struct watch_decoder *decoder, const char *data, size_t length);

/*
 * Decodes the next line. Returns 1 with *ret_event (watch_event_free()), 0 when no whole line is
 * left, -EBADMSG for a line that is no event (the next call goes on behind it), or -EMSGSIZE for
 * one beyond the limit that does not even say which object it is about (which only
 * watch_decoder_reset() ends).
 */
int watch_decoder_next(struct watch_decoder *decoder, struct watch_event *ret_event,
		       struct error *error);

/* Forgets all bytes and frees the memory; ready for another stream. */
void watch_decoder_reset(struct watch_decoder *decoder);

void watch_event_free(struct watch_event *event);

#endif
