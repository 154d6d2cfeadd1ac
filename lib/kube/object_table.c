// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/object_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"

/* One allocation each: a cluster has many. `text` holds the four strings one after the other. */
struct known_object {
	uint32_t mark;
	uint16_t name;		   /* where in `text` the name starts */
	uint16_t uid;		   /* likewise */
	uint16_t resource_version; /* likewise */
	char text[];
};

/* What an object is found by: "namespace NUL name". */
struct key {
	char text[2 * OBJECT_STRING_LIMIT];
	size_t length;
};

static struct key make_key(const struct object_identity *identity)
{
	size_t namespace_size = strlen(identity->namespace) + 1;
	size_t name_length = strlen(identity->name);
	struct key key = {.length = namespace_size + name_length};

	memcpy(key.text, identity->namespace, namespace_size);
	memcpy(key.text + namespace_size, identity->name, name_length);
	return key;
}

/* `text` starts with the key, and the UID follows behind its NUL. */
static uint64_t object_hash(const void *item)
{
	const struct known_object *object = item;

	return pointer_set_hash(object->text, object->uid - 1U);
}

static bool object_equal(const void *item, const void *wanted)
{
	const struct known_object *object = item;
	const struct key *key = wanted;

	return object->uid - 1U == key->length && memcmp(object->text, key->text, key->length) == 0;
}

static const struct pointer_set_kind objects_kind = {object_hash, object_equal};

static bool fits(const char *string)
{
	return string && strlen(string) < OBJECT_STRING_LIMIT;
}

int object_identity_read(const cJSON *object, struct object_identity *ret_identity,
			 struct error *error)
{
	const cJSON *metadata = json_find(object, "metadata");
	struct object_identity identity = {
		.namespace = json_text(metadata, "namespace"),
		.name = json_string(metadata, "name"),
		.uid = json_string(metadata, "uid"),
		.resource_version = json_string(metadata, "resourceVersion"),
	};

	if (!fits(identity.namespace) || !fits(identity.name) || !fits(identity.uid) ||
	    !fits(identity.resource_version))
		return error_set(error, EINVAL,
				 "object \"%.64s/%.64s\" lacks a usable metadata.name, uid or "
				 "resourceVersion",
				 identity.namespace, identity.name ? identity.name : "");
	*ret_identity = identity;
	return 0;
}

struct object_identity known_object_identity(const struct known_object *object)
{
	return (struct object_identity){
		.namespace = object->text,
		.name = object->text + object->name,
		.uid = object->text + object->uid,
		.resource_version = object->text + object->resource_version,
	};
}

struct known_object *object_table_find(const struct object_table *table,
				       const struct object_identity *identity)
{
	struct key key = make_key(identity);

	return pointer_set_find(&table->objects, &objects_kind, &key,
				pointer_set_hash(key.text, key.length));
}

static struct known_object *known_object_new(const struct object_identity *identity)
{
	size_t namespace_size = strlen(identity->namespace) + 1;
	size_t name_size = strlen(identity->name) + 1, uid_size = strlen(identity->uid) + 1;
	size_t version_size = strlen(identity->resource_version) + 1;
	struct known_object *object =
		calloc(1, sizeof(*object) + namespace_size + name_size + uid_size + version_size);

	if (!object)
		return NULL;
	object->name = (uint16_t)namespace_size;
	object->uid = (uint16_t)(object->name + name_size);
	object->resource_version = (uint16_t)(object->uid + uid_size);
	memcpy(object->text, identity->namespace, namespace_size);
	memcpy(object->text + object->name, identity->name, name_size);
	memcpy(object->text + object->uid, identity->uid, uid_size);
	memcpy(object->text + object->resource_version, identity->resource_version, version_size);
	return object;
}

int object_table_put(struct object_table *table, const struct object_identity *identity)
{
	struct known_object *former = object_table_find(table, identity);
	struct known_object *object = known_object_new(identity);

	if (former) {
		object_table_take(table, former);
		known_object_free(former);
	}
	if (!object)
		return -ENOMEM;
	object->mark = table->mark;
	if (pointer_set_add(&table->objects, &objects_kind, object) < 0) {
		known_object_free(object);
		return -ENOMEM;
	}
	return 0;
}

void object_table_mark(struct object_table *table, struct known_object *object)
{
	object->mark = table->mark;
}

void object_table_take(struct object_table *table, struct known_object *object)
{
	pointer_set_remove(&table->objects, &objects_kind, object);
}

void object_table_start_list(struct object_table *table)
{
	table->mark++;
}

void object_table_sweep(struct object_table *table, object_gone_handler gone, void *context)
{
	size_t slot = 0;

	while (slot < table->objects.capacity) {
		struct known_object *object = table->objects.slots[slot];
		struct object_identity identity;

		if (!object || object->mark == table->mark) {
			slot++;
			continue;
		}
		identity = known_object_identity(object);
		object_table_take(table, object); /* another one may come into its slot */
		gone(context, &identity);
		known_object_free(object);
	}
}

struct known_object *known_object_free(struct known_object *object)
{
	free(object);
	return NULL;
}

void object_table_free(struct object_table *table)
{
	for (size_t i = 0; i < table->objects.capacity; i++)
		free(table->objects.slots[i]);
	pointer_set_free(&table->objects);
}
