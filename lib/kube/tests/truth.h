/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What is true on the API server of a test: objects of one collection, and the journal of all that
 * became of them, from which lists and watches are answered.
 */
#ifndef SKEP_LIB_KUBE_TESTS_TRUTH_H
#define SKEP_LIB_KUBE_TESTS_TRUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/text.h"

#define TRUTH_VERSION_SIZE 16

struct truth_object {
	bool exists;
	unsigned int uid;
	unsigned int version;
	size_t fill; /* bytes of its spec */
};

struct truth_change {
	const char *type; /* of the event */
	size_t index;	  /* of the object; without meaning for a bookmark */
	struct truth_object object;
};

struct truth {
	struct truth_object *objects;
	size_t count;
	struct truth_change *changes; /* the n-th one made version n + 1 */
	size_t change_count;
	size_t compacted; /* changes that are forgotten */
	unsigned int uids;
};

/* Room for `count` objects, none of which is there yet. */
void truth_init(struct truth *truth, size_t count);
void truth_free(struct truth *truth);

/* The object is made, or changed where it is there; its spec takes `fill` bytes. */
void truth_put(struct truth *truth, size_t index, size_t fill);

/* The object goes, if it is there. */
void truth_delete(struct truth *truth, size_t index);

/* Deleted and made anew under the same name. */
void truth_replace(struct truth *truth, size_t index);

/* A bookmark is sent to all watches. */
void truth_bookmark(struct truth *truth);

/* Something happens to some object; `random` decides. */
void truth_happen(struct truth *truth, unsigned int random);

/* Forgets the journal up to now: watches can begin from here on only. */
void truth_compact(struct truth *truth);

/* The newest version. */
unsigned int truth_version(const struct truth *truth);

/* Versions are written so that their order cannot be seen. */
void truth_format_version(char text[TRUTH_VERSION_SIZE], unsigned int version);

/* The version that is written so, or -1. */
long truth_find_version(const struct truth *truth, const char *text);

/* Appends an object as JSON; `index` gives its name. */
void truth_write_object(struct text *out, size_t index, const struct truth_object *object);

/* Appends a line of a watch. */
void truth_write_change(struct text *out, const struct truth *truth, size_t change);

#endif
