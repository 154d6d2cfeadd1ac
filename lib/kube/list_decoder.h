/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Turns the bytes of a page of a list, as they come, into its objects, one after the other: however
 * large the page, no more of it is kept than the object that is under way
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks).
 */
#ifndef SKEP_LIB_KUBE_LIST_DECODER_H
#define SKEP_LIB_KUBE_LIST_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/kube/decode_buffer.h"
#include "lib/kube/json_span.h"

enum list_part_type {
	LIST_PART_METADATA,  /* of the list itself: resourceVersion, continue */
	LIST_PART_OBJECT,    /* one of its items */
	LIST_PART_OVERSIZED, /* an item beyond the limit */
	LIST_PART_END,	     /* the page is complete */
};

struct list_part {
	enum list_part_type type;
	/*
	 * The caller's. Of an oversized item it holds only what oversized_object() makes, or NULL;
	 * NULL at the end.
	 */
	cJSON *json;
};

/* What may come next. */
enum list_state {
	LIST_START,  /* the list's opening brace */
	LIST_MEMBER, /* the name of a member, or the closing brace */
	LIST_KEY,    /* the rest of the name */
	LIST_COLON,
	LIST_VALUE,  /* the first byte of a member's value */
	LIST_ITEMS,  /* an item, or the closing bracket */
	LIST_INSIDE, /* the rest of a value or item */
	LIST_END,
	LIST_OVER, /* the end has been told */
};

#define LIST_KEY_SIZE 16 /* no longer name of a member matters here */

/* Start with `object_limit` set and all else zero. */
struct list_decoder {
	size_t object_limit;	     /* bytes of one object */
	struct decode_buffer buffer; /* the value under way is what is scanned and not consumed */
	enum list_state state;
	struct json_span span;
	char key[LIST_KEY_SIZE]; /* of the member that is under way */
	size_t key_length;
	bool is_item;	/* the value under way is an item, else a member of the list */
	bool has_items; /* the member "items" has come */
	bool has_metadata;
	bool is_oversized;
	cJSON *oversized; /* what the value under way began with, once it is too large */
};

/* Takes bytes in. Returns 0 or -ENOMEM. */
int list_decoder_push(struct list_decoder *decoder, const char *data, size_t length);

/*
 * Decodes the next part. Returns 1 with *ret_part, 0 when more bytes are needed, or -EBADMSG when
 * this is no list, or memory ran out for a part of it; then only list_decoder_reset() helps. A page
 * without metadata is none: it does not say whether it is the last one.
 */
int list_decoder_next(struct list_decoder *decoder, struct list_part *ret_part,
		      struct error *error);

/* Forgets all bytes and frees the memory; ready for another page. */
void list_decoder_reset(struct list_decoder *decoder);

#endif
