/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Reading cJSON trees that come from outside, where any member may be missing or of another type.
 */
#ifndef SKEP_LIB_BASE_JSON_H
#define SKEP_LIB_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/* The member that a path of names leads to (`json_find(pod, "metadata", "labels")`), or NULL. */
#define json_find(json, ...) json_find_path((json), (const char *const[]){__VA_ARGS__, NULL})
const cJSON *json_find_path(const cJSON *json, const char *const names[]);

/* The string at a path, or NULL where there is none. It belongs to the tree. */
#define json_string(json, ...) json_string_of(json_find((json), __VA_ARGS__))
const char *json_string_of(const cJSON *item);

/* The string at a path, or "" where there is none. */
#define json_text(json, ...) json_text_of(json_find((json), __VA_ARGS__))
const char *json_text_of(const cJSON *item);

/* The whole number at a path, or `otherwise` where there is none or it is no exact integer. */
#define json_integer(json, otherwise, ...)                                                         \
	json_integer_of(json_find((json), __VA_ARGS__), (otherwise))
int64_t json_integer_of(const cJSON *item, int64_t otherwise);

/* The truth value at a path, or `otherwise` where there is none. */
#define json_boolean(json, otherwise, ...)                                                         \
	json_boolean_of(json_find((json), __VA_ARGS__), (otherwise))
bool json_boolean_of(const cJSON *item, bool otherwise);

/* Appends an empty object to an array (that may be NULL) and returns it; NULL: no memory. */
cJSON *json_append_object(cJSON *array);

/* Appends `item` to an array, and takes it also on failure. Both may be NULL. False: no memory. */
bool json_append_item(cJSON *array, cJSON *item);

/* Adds `item` under `name`, and takes it also on failure. Both may be NULL. False: no memory. */
bool json_add_item(cJSON *object, const char *name, cJSON *item);

/*
 * A number by which to tell whether two trees say the same: members of objects in any order. Two
 * that differ have the same one by chance only, which is no protection from whoever wants it.
 */
uint64_t json_digest(const cJSON *json);

#endif
