// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/tests/truth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void truth_init(struct truth *truth, size_t count)
{
	*truth = (struct truth){.count = count};
	truth->objects = calloc(count, sizeof(*truth->objects));
	if (!truth->objects)
		abort();
}

void truth_free(struct truth *truth)
{
	free(truth->objects);
	free(truth->changes);
	*truth = (struct truth){0};
}

static void note(struct truth *truth, const char *type, size_t index)
{
	size_t count = truth->change_count;

	/* It grows at each power of two. */
	if ((count & (count - 1)) == 0) {
		truth->changes = reallocarray(truth->changes, count ? 2 * count : 1,
					      sizeof(*truth->changes));
		if (!truth->changes)
			abort();
	}
	truth->change_count++;
	truth->objects[index].version = truth_version(truth);
	truth->changes[count] = (struct truth_change){type, index, truth->objects[index]};
}

void truth_put(struct truth *truth, size_t index, size_t fill)
{
	struct truth_object *object = &truth->objects[index];
	const char *type = object->exists ? "MODIFIED" : "ADDED";

	if (!object->exists)
		object->uid = ++truth->uids;
	object->exists = true;
	object->fill = fill;
	note(truth, type, index);
}

void truth_delete(struct truth *truth, size_t index)
{
	if (!truth->objects[index].exists)
		return;
	truth->objects[index].exists = false;
	note(truth, "DELETED", index);
}

void truth_replace(struct truth *truth, size_t index)
{
	truth_delete(truth, index);
	truth_put(truth, index, 0);
}

void truth_bookmark(struct truth *truth)
{
	unsigned int version = truth->objects[0].version;

	note(truth, "BOOKMARK", 0);
	truth->objects[0].version = version;
}

void truth_happen(struct truth *truth, unsigned int random)
{
	size_t index = random / 8 % truth->count;

	switch (random % 8) {
	case 0:
		truth_replace(truth, index);
		break;
	case 1:
	case 2:
		truth_delete(truth, index);
		break;
	case 3:
		truth_bookmark(truth);
		break;
	default:
		truth_put(truth, index, random % 64);
	}
}

void truth_compact(struct truth *truth)
{
	truth->compacted = truth->change_count;
}

unsigned int truth_version(const struct truth *truth)
{
	return (unsigned int)truth->change_count;
}

void truth_format_version(char text[TRUTH_VERSION_SIZE], unsigned int version)
{
	snprintf(text, TRUTH_VERSION_SIZE, "v%x", version * 2654435761U);
}

long truth_find_version(const struct truth *truth, const char *text)
{
	for (unsigned int version = truth_version(truth) + 1; version-- > 0;) {
		char candidate[TRUTH_VERSION_SIZE];

		truth_format_version(candidate, version);
		if (strcmp(candidate, text) == 0)
			return (long)version;
	}
	return -1;
}

/* Members such as pods have, so that what is decoded takes the memory of a pod. */
static void write_fill(struct text *out, size_t length)
{
	static const char member[] = "{\"name\":\"SOME_NAME\",\"value\":\"some text, not long\"},";

	for (; length > strlen(member); length -= strlen(member))
		text_append(out, member, strlen(member));
	text_append_format(out, "\"%*s\"", (int)length, "");
}

void truth_write_object(struct text *out, size_t index, const struct truth_object *object)
{
	char version[TRUTH_VERSION_SIZE];

	truth_format_version(version, object->version);
	text_append_format(out,
			   "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"p%zu\",\"uid\":\"u%u\","
			   "\"resourceVersion\":\"%s\"},\"spec\":{\"fill\":[",
			   index, object->uid, version);
	write_fill(out, object->fill);
	text_append_string(out, "]}}");
}

void truth_write_change(struct text *out, const struct truth *truth, size_t number)
{
	const struct truth_change *change = &truth->changes[number];
	char version[TRUTH_VERSION_SIZE];

	text_append_format(out, "{\"type\":\"%s\",\"object\":", change->type);
	if (strcmp(change->type, "BOOKMARK") == 0) {
		truth_format_version(version, (unsigned int)number + 1);
		text_append_format(out, "{\"metadata\":{\"resourceVersion\":\"%s\"}}", version);
	} else {
		truth_write_object(out, change->index, &change->object);
	}
	text_append_string(out, "}\n");
}
