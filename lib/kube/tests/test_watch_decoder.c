// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/kube/watch_decoder.h"

#define LINE_LIMIT 200

static const char stream[] =
	"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n"
	"\r\n"
	"{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"b\"}}}\r\n"
	"{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"c\"}}}\n"
	"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}\n"
	"{\"type\":\"NEWER\",\"object\":{}}\n"
	"{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n";

static struct watch_decoder decoder_of(const char *data)
{
	struct watch_decoder decoder = {.line_limit = LINE_LIMIT};

	assert_int_equal(watch_decoder_push(&decoder, data, strlen(data)), 0);
	return decoder;
}

/* Takes all whole events and appends the type of each to `types` as a digit. */
static void take_events(struct watch_decoder *decoder, char *types)
{
	struct watch_event event;
	int result;

	while ((result = watch_decoder_next(decoder, &event, NULL)) > 0) {
		char type[] = {(char)('0' + event.type), '\0'};

		strcat(types, type);
		watch_event_free(&event);
	}
	assert_int_equal(result, 0);
}

static void decodes_lines_split_anywhere(void **state)
{
	(void)state;
	for (size_t split = 0; split <= strlen(stream); split++) {
		struct watch_decoder decoder = {.line_limit = LINE_LIMIT};
		char types[16] = "";

		watch_decoder_push(&decoder, stream, split);
		take_events(&decoder, types);
		watch_decoder_push(&decoder, stream + split, strlen(stream) - split);
		take_events(&decoder, types);
		assert_string_equal(types, "012354");
		watch_decoder_reset(&decoder);
	}
}

static void decodes_byte_after_byte(void **state)
{
	struct watch_decoder decoder = {.line_limit = LINE_LIMIT};
	char types[16] = "";

	(void)state;
	for (size_t i = 0; i < strlen(stream); i++) {
		watch_decoder_push(&decoder, stream + i, 1);
		take_events(&decoder, types);
	}
	assert_string_equal(types, "012354");
	watch_decoder_reset(&decoder);
}

static void gives_the_object(void **state)
{
	struct watch_decoder decoder = decoder_of(stream);
	struct watch_event event;

	(void)state;
	assert_int_equal(watch_decoder_next(&decoder, &event, NULL), 1);
	assert_string_equal(json_text(event.object, "metadata", "name"), "a");
	watch_event_free(&event);
	watch_decoder_reset(&decoder);
}

static void refuses_what_is_no_event_and_goes_on(void **state)
{
	static const char *const bad[] = {
		"nonsense\n",
		"{\"type\":\"ADDED\"}\n",
		"{\"object\":{}}\n",
		"[]\n",
		"{\n",
		"{\"type\":\"ADDED\",\"object\":\"text\"}\n",
		"{\"type\":7,\"object\":{}}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct watch_decoder decoder = decoder_of(bad[i]);
		struct watch_event event;
		struct error error = {""};

		watch_decoder_push(&decoder, stream, strlen(stream));
		assert_int_equal(watch_decoder_next(&decoder, &event, &error), -EBADMSG);
		assert_non_null(strstr(error.message, "no watch event"));
		assert_int_equal(watch_decoder_next(&decoder, &event, &error), 1);
		watch_event_free(&event);
		watch_decoder_reset(&decoder);
	}
}

static void refuses_a_line_beyond_the_limit(void **state)
{
	char line[LINE_LIMIT + 2];
	struct watch_decoder decoder;
	struct watch_event event;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[LINE_LIMIT + 1] = '\0';
	decoder = decoder_of(line); /* its end has not come yet */
	assert_int_equal(watch_decoder_next(&decoder, &event, NULL), -EMSGSIZE);
	watch_decoder_reset(&decoder);
	line[LINE_LIMIT] = '\0';
	decoder = decoder_of(line);
	assert_int_equal(watch_decoder_next(&decoder, &event, NULL), 0);
	watch_decoder_reset(&decoder);
}

#define LARGE(type)                                                                                \
	"{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"l\"},\"spec\":\""             \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"     \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"     \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"     \
	"\"}}\n"

/* Takes events; of those that are too large the name, of others the type. */
static void take_names(struct watch_decoder *decoder, char *told)
{
	struct watch_event event;

	while (watch_decoder_next(decoder, &event, NULL) > 0) {
		sprintf(told + strlen(told), "%d%s ", event.type,
			event.is_oversized ? json_text(event.object, "metadata", "name") : "");
		watch_event_free(&event);
	}
}

static void skips_a_line_beyond_the_limit_that_says_what_it_is(void **state)
{
	static const char lines[] = LARGE("MODIFIED") "{\"type\":\"ADDED\",\"object\":{}}\n" LARGE(
		"DELETED") "{\"type\":\"ERROR\",\"object\":{}}\n";

	(void)state;
	for (size_t split = 0; split <= strlen(lines); split++) {
		struct watch_decoder decoder = {.line_limit = LINE_LIMIT};
		char told[64] = "";

		watch_decoder_push(&decoder, lines, split);
		take_names(&decoder, told);
		watch_decoder_push(&decoder, lines + split, strlen(lines) - split);
		take_names(&decoder, told);
		assert_string_equal(told, "1l 0 2l 4 ");
		watch_decoder_reset(&decoder);
	}
}

static void does_not_keep_what_it_skips(void **state)
{
	static const char line[] = LARGE("MODIFIED");
	struct watch_decoder decoder = {.line_limit = LINE_LIMIT};
	char told[64] = "";

	(void)state;
	for (int i = 0; i < 10000; i++) {
		watch_decoder_push(&decoder, line, strlen(line) - 4);
		take_names(&decoder, told);
	}
	assert_string_equal(told, "");
	assert_in_range(decoder.buffer.text.capacity, 1, 2048);
	watch_decoder_reset(&decoder);
}

static void is_ready_again_after_a_reset(void **state)
{
	struct watch_decoder decoder = decoder_of("{\"type\":\"ADD");
	char types[16] = "";

	(void)state;
	take_events(&decoder, types);
	watch_decoder_reset(&decoder);
	watch_decoder_push(&decoder, stream, strlen(stream));
	take_events(&decoder, types);
	assert_string_equal(types, "012354");
	watch_decoder_reset(&decoder);
}

#define LEVELS 1200 /* the parser goes 1,000 deep */

/* Whoever may write an object may nest its managedFields: that harms no other. */
static void passes_over_managed_fields_however_deep(void **state)
{
	struct watch_decoder decoder = {.line_limit = 1 << 20};
	struct watch_event event;
	struct text line = TEXT_EMPTY;

	(void)state;
	text_append_string(&line, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{"
				  "\"managedFields\":[");
	for (int i = 0; i < LEVELS; i++)
		text_append_string(&line, "{\"f\":");
	text_append_string(&line, "1");
	for (int i = 0; i < LEVELS; i++)
		text_append_string(&line, "}");
	text_append_string(&line, "],\"name\":\"deep\"}}}\n");
	assert_int_equal(watch_decoder_push(&decoder, line.data, line.length), 0);
	assert_int_equal(watch_decoder_next(&decoder, &event, NULL), 1);
	assert_string_equal(json_text(event.object, "metadata", "name"), "deep");
	watch_event_free(&event);
	watch_decoder_reset(&decoder);
	text_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_lines_split_anywhere),
		cmocka_unit_test(decodes_byte_after_byte),
		cmocka_unit_test(gives_the_object),
		cmocka_unit_test(refuses_what_is_no_event_and_goes_on),
		cmocka_unit_test(refuses_a_line_beyond_the_limit),
		cmocka_unit_test(skips_a_line_beyond_the_limit_that_says_what_it_is),
		cmocka_unit_test(does_not_keep_what_it_skips),
		cmocka_unit_test(is_ready_again_after_a_reset),
		cmocka_unit_test(passes_over_managed_fields_however_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
