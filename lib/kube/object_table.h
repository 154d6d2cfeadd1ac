/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The objects of one collection that are known: namespace, name, UID and resourceVersion of each.
 * A complete list marks what it holds; what stays unmarked is gone.
 */
#ifndef SKEP_LIB_KUBE_OBJECT_TABLE_H
#define SKEP_LIB_KUBE_OBJECT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/base/pointer_set.h"

/*
 * Names of Kubernetes objects have at most 253 bytes, namespaces 63; UIDs and versions are short.
 */
#define OBJECT_STRING_LIMIT 512

/* What tells an object and its state from others. resourceVersion is opaque: only equal or not. */
struct object_identity {
	const char *namespace; /* "" for a cluster-scoped object */
	const char *name;
	const char *uid;
	const char *resource_version;
};

struct known_object;

/* Start with all zero. */
struct object_table {
	struct pointer_set objects; /* of struct known_object */
	uint32_t mark;		    /* of the list that is under way, or the last one */
};

/*
 * Reads the identity from an object's metadata; the strings belong to the object. Returns 0, or
 * -EINVAL when one is missing or too long.
 */
int object_identity_read(const cJSON *object, struct object_identity *ret_identity,
			 struct error *error);

/* The known object of that namespace and name, or NULL. */
struct known_object *object_table_find(const struct object_table *table,
				       const struct object_identity *identity);

/* The identity of a known object; its strings live as long as the object. */
struct object_identity known_object_identity(const struct known_object *object);

/*
 * Makes the identity known and marks it; one of the same namespace and name is replaced. The
 * strings are copied. Returns 0, or -ENOMEM with the former object forgotten.
 */
int object_table_put(struct object_table *table, const struct object_identity *identity);

/* Marks an object as part of the list that is under way. */
void object_table_mark(struct object_table *table, struct known_object *object);

/* Takes an object out of the table; the caller frees it with known_object_free(). */
void object_table_take(struct object_table *table, struct known_object *object);

/* A list starts: nothing is marked any more. */
void object_table_start_list(struct object_table *table);

typedef void (*object_gone_handler)(void *context, const struct object_identity *identity);

/* Forgets each object that is not marked and tells of it; the handler must not use the table. */
void object_table_sweep(struct object_table *table, object_gone_handler gone, void *context);

struct known_object *known_object_free(struct known_object *object);

/* Forgets all. */
void object_table_free(struct object_table *table);

#endif
