// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/json.h"
#include "lib/kube/list_decoder.h"

#define OBJECT_LIMIT 100
#define FILL	     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

#define METADATA   "\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"p/2\"}"
#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define LARGE	   "{\"metadata\":{\"name\":\"l\"},\"spec\":\"" FILL FILL "\"}"

static struct list_decoder new_decoder(void)
{
	return (struct list_decoder){.object_limit = OBJECT_LIMIT};
}

/* Appends what the parts say: m for metadata, an object's name, (name) when too large, and a dot.
 */
static void tell_part(struct list_part *part, struct text *told)
{
	switch (part->type) {
	case LIST_PART_METADATA:
		text_append_format(told, "m%s ", json_text(part->json, "resourceVersion"));
		break;
	case LIST_PART_OBJECT:
		text_append_format(told, "%s ", json_text(part->json, "metadata", "name"));
		break;
	case LIST_PART_OVERSIZED:
		text_append_format(told, "(%s) ",
				   part->json ? json_text(part->json, "metadata", "name") : "?");
		break;
	default:
		text_append_string(told, ".");
	}
	cJSON_Delete(part->json);
}

static int push(struct list_decoder *decoder, const char *data, size_t length, struct text *told)
{
	struct list_part part;
	int result = list_decoder_push(decoder, data, length);

	assert_int_equal(result, 0);
	while ((result = list_decoder_next(decoder, &part, NULL)) > 0)
		tell_part(&part, told);
	return result;
}

/* What a page says that comes in two pieces, or "wrong". */
static void expect_split(const char *page, size_t split, const char *expected)
{
	struct list_decoder decoder = new_decoder();
	struct text told = TEXT_EMPTY;
	int result = push(&decoder, page, split, &told);

	if (result == 0)
		result = push(&decoder, page + split, strlen(page) - split, &told);
	if (result < 0) {
		assert_int_equal(result, -EBADMSG);
		text_append_string(&told, "wrong");
	}
	assert_string_equal(told.data ? told.data : "", expected);
	text_free(&told);
	list_decoder_reset(&decoder);
}

static void expect(const char *page, const char *expected)
{
	for (size_t split = 0; split <= strlen(page); split++)
		expect_split(page, split, expected);
}

static void decodes_objects_split_anywhere(void **state)
{
	(void)state;
	expect("{\"kind\":\"PodList\",\"apiVersion\":\"v1\"," METADATA
	       ",\"items\":[" ITEM("a") "," ITEM("b") "]}\n",
	       "m9 a b .");
	expect(" {\r\n\t\"items\" : [ " ITEM(
		       "a") " , {\"metadata\" : {\"name\":\"}]\\\"\"}} ] , " METADATA " }",
	       "a }]\" m9 .");
	expect("{\"items\":[]," METADATA "}", "m9 .");
	expect("{\"items\":null," METADATA "}", "m9 .");
	expect("{\"items\":[7,null,\"s\",[[]]]," METADATA ",\"x\":1.5e3}", "    m9 .");
}

static void passes_over_what_nobody_wants(void **state)
{
	(void)state;
	expect("{\"items\":[],\"a-name-that-is-rather-long\":[{\"items\":[" ITEM(
		       "a") "]},\"" FILL FILL "\"]," METADATA "}",
	       "m9 .");
}

static void tells_what_is_too_large_and_goes_on(void **state)
{
	(void)state;
	expect("{\"items\":[" ITEM("a") "," LARGE "," ITEM("b") "," LARGE "]," METADATA "}",
	       "a (l) b (l) m9 .");
	/* Metadata behind the limit cannot be told. */
	expect_split("{\"items\":[{\"spec\":\"" FILL FILL
		     "\",\"metadata\":{\"name\":\"l\"}}]," METADATA "}",
		     150, "(?) m9 .");
}

static void refuses_what_is_no_list(void **state)
{
	static const char *const wrong[] = {
		"[",
		"nonsense",
		"\"text\"",
		"{7",
		"{\"items\"[",
		"{\"items\":[{]",
		"{\"items\":[nul]",
		"{\"items\":{}}",
		"{\"items\":\"null\"}",
		"{\"items\":nonsense}",
		"{\"metadata\":{\"a\"}}",
		"{\"kind\":\"Pod\"}",
		"{}",
		"{\"items\":[]}", /* it does not say whether it is the last page */
		"{\"items\":null}",
		"{\"metadata\":\"" FILL FILL "\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect(wrong[i], "wrong");
	/* What came first was a whole page, as far as it was there. */
	expect_split("{\"items\":[]," METADATA "}}", strlen("{\"items\":[]," METADATA "}"),
		     "m9 .wrong");
}

static void is_not_at_its_end_before_all_has_come(void **state)
{
	static const char page[] = "{" METADATA ",\"items\":[" ITEM("a") "]}";

	(void)state;
	for (size_t length = 0; length < strlen(page); length++) {
		struct list_decoder decoder = new_decoder();
		struct text told = TEXT_EMPTY;

		assert_int_equal(push(&decoder, page, length, &told), 0);
		assert_null(told.data ? strchr(told.data, '.') : NULL);
		text_free(&told);
		list_decoder_reset(&decoder);
	}
}

/* However much comes, the buffer holds one object and what came last. */
static void keeps_no_more_than_an_object(void **state)
{
	static const char start[] = "{\"items\":[", item[] = LARGE "," ITEM("a") ",";
	struct list_decoder decoder = new_decoder();
	struct text told = TEXT_EMPTY;

	(void)state;
	push(&decoder, start, strlen(start), &told);
	for (int i = 0; i < 1000; i++) {
		push(&decoder, item, strlen(item), &told);
		text_clear(&told);
	}
	push(&decoder, "\"", 1, &told);
	for (int i = 0; i < 10000; i++)
		push(&decoder, FILL, strlen(FILL), &told);
	assert_in_range(decoder.buffer.text.capacity, 1, 1024);
	text_free(&told);
	list_decoder_reset(&decoder);
}

#define LEVELS 1200 /* the parser goes 1,000 deep */

/* Whoever may write an object may nest its managedFields: that harms no other. */
static void passes_over_managed_fields_however_deep(void **state)
{
	struct list_decoder decoder = {.object_limit = 1 << 20};
	struct text page = TEXT_EMPTY, told = TEXT_EMPTY;

	(void)state;
	text_append_string(&page, "{\"items\":[" ITEM("a") ",{\"metadata\":{\"managedFields\":[");
	for (int i = 0; i < LEVELS; i++)
		text_append_string(&page, "{\"f\":");
	text_append_string(&page, "1");
	for (int i = 0; i < LEVELS; i++)
		text_append_string(&page, "}");
	text_append_string(&page, "],\"name\":\"deep\"}}," ITEM("b") "]," METADATA "}");
	assert_int_equal(push(&decoder, page.data, page.length, &told), 0);
	assert_string_equal(told.data, "a deep b m9 .");
	text_free(&page);
	text_free(&told);
	list_decoder_reset(&decoder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_objects_split_anywhere),
		cmocka_unit_test(passes_over_what_nobody_wants),
		cmocka_unit_test(tells_what_is_too_large_and_goes_on),
		cmocka_unit_test(refuses_what_is_no_list),
		cmocka_unit_test(is_not_at_its_end_before_all_has_come),
		cmocka_unit_test(keeps_no_more_than_an_object),
		cmocka_unit_test(passes_over_managed_fields_however_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
