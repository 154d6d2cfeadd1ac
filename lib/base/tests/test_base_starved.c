// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Lists, sets, tables and texts without memory: what could not be added is not in, all else is. */

#include "lib/base/tests/starve.h"

#include "lib/base/json.h"
#include "lib/base/pointer_set.h"
#include "lib/base/strings.h"
#include "lib/base/table.h"
#include "lib/base/text.h"

#define ITEMS 600 /* so many that a table grows more than once */

static bool add_strings(void *context)
{
	static const char *const words[] = {"a", "b", "a"};
	struct strings strings = {0};
	size_t expected = 0;
	bool done = true;

	(void)context;
	for (size_t i = 0; i < 3; i++) {
		bool added = strings_add(&strings, words[i]) == 0;

		expected += added;
		done &= added;
	}
	starve_pause();
	assert_int_equal(strings.count, expected);
	for (size_t i = 0; i < strings.count; i++)
		assert_non_null(strings.items[i]);
	strings_free(&strings);
	return done;
}

/* What has been lost of a text is said, and what is there is whole. */
static bool append_text(void *context)
{
	struct text text = TEXT_EMPTY;
	bool done;

	(void)context;
	for (int i = 0; i < 200; i++)
		text_append_format(&text, "%d,", i);
	done = !text.failed;
	starve_pause();
	assert_true(!text.data || strlen(text.data) == text.length);
	text_clear(&text);
	text_append_string(&text, "again");
	assert_false(text.failed);
	assert_string_equal(text.data, "again");
	text_free(&text);
	return done;
}

struct item {
	unsigned int number;
	bool added;
	UT_hash_handle hh;
};

static struct item items[ITEMS];

static bool fill_table(void *context)
{
	struct item *table = NULL, *found, *next;
	unsigned int count = 0;

	(void)context;
	for (unsigned int i = 0; i < ITEMS; i++) {
		struct item *item = &items[i];

		item->number = i;
		HASH_ADD_INT(table, number, item);
		item->added = is_in_table(item);
		count += item->added;
	}
	starve_pause();
	assert_int_equal(HASH_COUNT(table), count);
	for (unsigned int i = 0; i < ITEMS; i++) {
		HASH_FIND_INT(table, &i, found);
		assert_ptr_equal(found, items[i].added ? &items[i] : NULL);
	}
	HASH_ITER(hh, table, found, next)
		HASH_DEL(table, found);
	return count == ITEMS;
}

static uint64_t hash_of(const void *item)
{
	return pointer_set_hash(&((const struct item *)item)->number, sizeof(unsigned int));
}

static bool has_number(const void *item, const void *key)
{
	return ((const struct item *)item)->number == *(const unsigned int *)key;
}

static bool fill_set(void *context)
{
	static const struct pointer_set_kind kind = {hash_of, has_number};
	struct pointer_set set = {0};
	size_t count = 0;

	(void)context;
	for (unsigned int i = 0; i < ITEMS; i++) {
		items[i].number = i;
		items[i].added = pointer_set_add(&set, &kind, &items[i]) == 0;
		count += items[i].added;
	}
	starve_pause();
	assert_int_equal(set.count, count);
	for (unsigned int i = 0; i < ITEMS; i++)
		assert_ptr_equal(pointer_set_find(&set, &kind, &i, hash_of(&items[i])),
				 items[i].added ? &items[i] : NULL);
	pointer_set_free(&set);
	return count == ITEMS;
}

static bool build_json(void *context)
{
	cJSON *object = cJSON_CreateObject(), *array = cJSON_CreateArray();
	bool done = json_append_item(array, cJSON_CreateString("one")) &&
		    cJSON_AddStringToObject(json_append_object(array), "two", "2");

	(void)context;
	done &= json_add_item(object, "array", array);
	cJSON_Delete(object);
	return done;
}

static void survives_without_memory(void **state)
{
	(void)state;
	assert_true(starve(add_strings, NULL) >= 6);
	assert_true(starve(append_text, NULL) > 1);
	assert_true(starve(fill_table, NULL) > 3);
	assert_true(starve(fill_set, NULL) > 3);
	assert_true(starve(build_json, NULL) > 5);
}

static void a_table_keeps_its_order(void **state)
{
	struct item *table = NULL, *item, *next;
	char order[8] = "";
	size_t length = 0;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		items[i].number = i;
		item = &items[i];
		HASH_ADD_INT(table, number, item);
	}
	table_move_to_end(table, &items[0]); /* the first, one within, the last */
	table_move_to_end(table, &items[2]);
	table_move_to_end(table, &items[2]);
	for (item = table; item; item = item->hh.next)
		order[length++] = (char)('0' + item->number);
	assert_string_equal(order, "1302");
	item = &items[2];
	HASH_DEL(table, item);
	item = &items[4];
	item->number = 4;
	HASH_ADD_INT(table, number, item);
	assert_ptr_equal(items[0].hh.next, item);
	assert_ptr_equal(item->hh.prev, &items[0]);
	HASH_ITER(hh, table, item, next)
		HASH_DEL(table, item);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
		cmocka_unit_test(a_table_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
