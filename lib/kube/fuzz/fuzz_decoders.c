// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes what reads the API server's answers: the input, behind two bytes that say how it is cut
 * and how large an object may be, is read as a page of a list and as a watch. However it is cut,
 * the same must come out.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/kube/list_decoder.h"
#include "lib/kube/object_table.h"
#include "lib/kube/watch_decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(struct text *told, int type, const cJSON *json)
{
	char *printed = json ? cJSON_PrintUnformatted(json) : NULL;
	struct object_identity identity;

	text_append_format(told, "%d %s\n", type, printed ? printed : "-");
	if (object_identity_read(json, &identity, NULL) == 0)
		text_append_string(told, identity.name);
	free(printed);
}

/* Tells all parts that have come. Returns whether there may be more. */
static bool tell_parts(struct list_decoder *decoder, struct text *told)
{
	struct list_part part;
	int result;

	while ((result = list_decoder_next(decoder, &part, NULL)) > 0) {
		/* An end is told before what comes behind it is seen to be wrong. */
		if (part.type != LIST_PART_END)
			tell(told, part.type, part.json);
		cJSON_Delete(part.json);
	}
	return result == 0;
}

static bool tell_events(struct watch_decoder *decoder, struct text *told)
{
	struct watch_event event;
	int result;

	while ((result = watch_decoder_next(decoder, &event, NULL)) > 0) {
		if (!event.object)
			abort();
		tell(told, event.type, event.object);
		watch_event_free(&event);
	}
	return result == 0;
}

static void read_list(const char *data, size_t size, size_t piece, size_t limit, struct text *told)
{
	struct list_decoder decoder = {.object_limit = limit};

	for (size_t at = 0; at < size; at += piece) {
		if (list_decoder_push(&decoder, data + at, size - at < piece ? size - at : piece))
			break;
		if (decoder.buffer.text.length > limit + 2 * piece)
			abort();
		if (!tell_parts(&decoder, told))
			break;
	}
	list_decoder_reset(&decoder);
}

static void read_watch(const char *data, size_t size, size_t piece, size_t limit, struct text *told)
{
	struct watch_decoder decoder = {.line_limit = limit};

	for (size_t at = 0; at < size; at += piece) {
		if (watch_decoder_push(&decoder, data + at, size - at < piece ? size - at : piece))
			break;
		if (decoder.buffer.text.length > limit + 2 * piece)
			abort();
		if (!tell_events(&decoder, told))
			break;
	}
	watch_decoder_reset(&decoder);
}

typedef void reader(const char *data, size_t size, size_t piece, size_t limit, struct text *told);

/* What comes whole and is not too large must come out the same in pieces. */
static void compare(reader *read, const char *data, size_t size, size_t piece, size_t limit)
{
	struct text whole = TEXT_EMPTY, pieces = TEXT_EMPTY;

	read(data, size, size, size, &whole);
	read(data, size, piece, size, &pieces);
	if (whole.length != pieces.length ||
	    (whole.length && memcmp(whole.data, pieces.data, whole.length) != 0))
		abort();
	text_clear(&pieces);
	read(data, size, piece, limit, &pieces);
	text_free(&whole);
	text_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	compare(read_list, (const char *)data + 2, size - 2, data[0] % 32 + 1, data[1]);
	compare(read_watch, (const char *)data + 2, size - 2, data[0] % 32 + 1, data[1]);
	return 0;
}
