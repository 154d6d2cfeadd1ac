// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Whose addresses are: what is asked, answered, forgotten, and when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node-agent/edges/peer_cache.h"

static struct ip_address address_of(unsigned int number)
{
	struct ip_address address = {{10}};

	memcpy(&address.bytes[8], &number, sizeof(number));
	return address;
}

/* Who has address `number` at `now`, as "kind namespace/name"; "?" while that is not known. */
static const char *who(struct peer_cache *cache, unsigned int number, uint64_t now)
{
	static char text[256];
	const struct ip_address address = address_of(number);
	struct peer_identity identity;

	if (!peer_cache_find(cache, &address, now, &identity))
		return "?";
	snprintf(text, sizeof(text), "%s %s/%s", identity.kind, identity.namespace, identity.name);
	return text;
}

static struct peer a_pod(unsigned int number, const char *pod, const char *workload)
{
	return (struct peer){address_of(number), PEER_POD, "shop", pod, "uid",
			     "Deployment",	 workload};
}

static struct peer of_kind(unsigned int number, enum peer_kind kind, const char *namespace,
			   const char *name)
{
	return (struct peer){address_of(number), kind, namespace, name, "", "", ""};
}

/* How many addresses the next lookup asks for; all must be there. */
static size_t take_lookup(struct peer_cache *cache, size_t *ret_forgotten)
{
	struct lookup lookup;

	if (!peer_cache_next_lookup(cache, &lookup))
		lookup.address_count = lookup.forget_count = 0;
	if (ret_forgotten)
		*ret_forgotten = lookup.forget_count;
	return lookup.address_count;
}

static void test_asks_once_and_names(void **state)
{
	struct peer_cache cache = {0};
	struct peer answer = a_pod(1, "cart-1", "cart");

	(void)state;
	assert_false(peer_cache_has_lookup(&cache));
	assert_string_equal(who(&cache, 1, 0), "?");
	assert_string_equal(who(&cache, 1, 10), "?");
	assert_true(peer_cache_has_lookup(&cache));
	assert_int_equal(take_lookup(&cache, NULL), 1);
	assert_int_equal(take_lookup(&cache, NULL), 0);
	peer_cache_answer(&cache, &answer);
	assert_string_equal(who(&cache, 1, 20), "Deployment shop/cart");
	assert_int_equal(take_lookup(&cache, NULL), 0);
	peer_cache_clear(&cache);
}

static void test_names_by_kind(void **state)
{
	const struct peer answers[] = {
		of_kind(1, PEER_SERVICE, "shop", "cart"),
		of_kind(2, PEER_NODE, "", "node-a"),
		of_kind(3, PEER_EXTERNAL, "", ""),
		of_kind(4, PEER_UNKNOWN, "", ""),
	};
	struct peer_cache cache = {0};

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		assert_string_equal(who(&cache, i + 1, 0), "?");
		peer_cache_answer(&cache, &answers[i]);
	}
	assert_string_equal(who(&cache, 1, 0), "Service shop/cart");
	assert_string_equal(who(&cache, 2, 0), "Node /node-a");
	assert_string_equal(who(&cache, 3, 0), "External /");
	assert_string_equal(who(&cache, 4, 0), "Unknown /");
	peer_cache_clear(&cache);
}

static void test_is_nobodys_without_an_answer(void **state)
{
	struct peer_cache cache = {0};
	struct peer answer = a_pod(1, "cart-1", "cart");

	(void)state;
	assert_string_equal(who(&cache, 1, 1000), "?");
	assert_string_equal(who(&cache, 1, 1000 + PEER_CACHE_ANSWER_MS - 1), "?");
	assert_string_equal(who(&cache, 1, 1000 + PEER_CACHE_ANSWER_MS), "Unknown /");
	/* The first answer is no change of hands: what has waited until now is its own. */
	assert_false(peer_cache_is_news(&cache, &answer));
	peer_cache_answer(&cache, &answer);
	assert_string_equal(who(&cache, 1, 10000), "Deployment shop/cart");
	peer_cache_clear(&cache);
}

static void test_changes_hands(void **state)
{
	struct peer_cache cache = {0};
	struct peer cart = a_pod(1, "cart-1", "cart"), again = a_pod(1, "cart-2", "cart");
	struct peer other = a_pod(1, "pay-1", "pay");

	(void)state;
	(void)who(&cache, 1, 0);
	peer_cache_answer(&cache, &cart);
	assert_false(peer_cache_is_news(&cache, &cart));
	assert_false(peer_cache_is_news(&cache, &again)); /* the same workload */
	assert_true(peer_cache_is_news(&cache, &other));
	peer_cache_answer(&cache, &other);
	assert_string_equal(who(&cache, 1, 0), "Deployment shop/pay");
	peer_cache_clear(&cache);
}

static void test_answers_nobody_asked_for(void **state)
{
	struct peer_cache cache = {0};
	struct peer answer = a_pod(1, "cart-1", "cart");

	(void)state;
	assert_false(peer_cache_is_news(&cache, &answer));
	peer_cache_answer(&cache, &answer);
	assert_string_equal(who(&cache, 1, 0), "?");
	peer_cache_clear(&cache);
}

static void test_asks_again_on_a_new_connection(void **state)
{
	struct peer_cache cache = {0};
	struct peer answer = a_pod(1, "cart-1", "cart");

	(void)state;
	(void)who(&cache, 1, 0);
	(void)who(&cache, 2, 0);
	assert_int_equal(take_lookup(&cache, NULL), 2);
	peer_cache_answer(&cache, &answer);
	(void)who(&cache, 3, 0);
	peer_cache_ask_again(&cache);
	assert_int_equal(take_lookup(&cache, NULL), 3);
	/* What was known holds meanwhile. */
	assert_string_equal(who(&cache, 1, 0), "Deployment shop/cart");
	/* And what has not been asked again yet need not be taken back. */
	peer_cache_ask_again(&cache);
	peer_cache_expire(&cache, PEER_CACHE_IDLE_MS);
	assert_false(peer_cache_has_lookup(&cache));
	peer_cache_clear(&cache);
}

static void test_lookups_are_bounded(void **state)
{
	struct peer_cache cache = {0};

	(void)state;
	for (unsigned int i = 0; i < LOOKUP_LIMIT + 10; i++)
		(void)who(&cache, i, 0);
	assert_int_equal(take_lookup(&cache, NULL), LOOKUP_LIMIT);
	assert_int_equal(take_lookup(&cache, NULL), 10);
	peer_cache_clear(&cache);
}

static void test_unused_addresses_are_forgotten(void **state)
{
	struct peer_cache cache = {0};
	size_t forgotten;

	(void)state;
	(void)who(&cache, 1, 0);
	(void)who(&cache, 2, 0);
	(void)take_lookup(&cache, NULL);
	(void)who(&cache, 2, PEER_CACHE_IDLE_MS / 2);
	peer_cache_expire(&cache, PEER_CACHE_IDLE_MS - 1);
	assert_false(peer_cache_has_lookup(&cache));
	peer_cache_expire(&cache, PEER_CACHE_IDLE_MS);
	assert_int_equal(take_lookup(&cache, &forgotten), 0);
	assert_int_equal(forgotten, 1);
	assert_int_equal(peer_cache_count(&cache), 1);
	/* One that was never asked for is not told either. */
	(void)who(&cache, 3, PEER_CACHE_IDLE_MS);
	peer_cache_expire(&cache, 3 * PEER_CACHE_IDLE_MS);
	assert_int_equal(take_lookup(&cache, &forgotten), 0);
	assert_int_equal(forgotten, 1); /* the second */
	peer_cache_clear(&cache);
}

static void test_wanted_again_before_it_was_told(void **state)
{
	struct peer_cache cache = {0};
	size_t forgotten;

	(void)state;
	(void)who(&cache, 1, 0);
	(void)take_lookup(&cache, NULL);
	peer_cache_expire(&cache, PEER_CACHE_IDLE_MS);
	(void)who(&cache, 1, PEER_CACHE_IDLE_MS);
	assert_int_equal(take_lookup(&cache, &forgotten), 1);
	assert_int_equal(forgotten, 0);
	peer_cache_clear(&cache);
}

static void test_the_one_not_used_longest_makes_room(void **state)
{
	struct peer_cache cache = {0};
	size_t forgotten, sum = 0;

	(void)state;
	for (unsigned int i = 0; i < PEER_CACHE_LIMIT; i++)
		(void)who(&cache, i, i);
	while (take_lookup(&cache, NULL))
		;
	(void)who(&cache, 0, 2 * PEER_CACHE_LIMIT + 100000);
	for (unsigned int i = 0; i < 600; i++)
		(void)who(&cache, PEER_CACHE_LIMIT + i, 3 * PEER_CACHE_LIMIT + 100000);
	assert_int_equal(peer_cache_count(&cache), PEER_CACHE_LIMIT);
	assert_int_equal(take_lookup(&cache, &forgotten), LOOKUP_LIMIT);
	sum = forgotten;
	assert_int_equal(take_lookup(&cache, &forgotten), 600 - LOOKUP_LIMIT);
	assert_int_equal(sum + forgotten, 600);
	assert_string_equal(who(&cache, 0, 3 * PEER_CACHE_LIMIT + 100000), "Unknown /");
	assert_string_equal(who(&cache, 1, 3 * PEER_CACHE_LIMIT + 100000), "?"); /* anew */
	peer_cache_clear(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks_once_and_names),
		cmocka_unit_test(test_names_by_kind),
		cmocka_unit_test(test_is_nobodys_without_an_answer),
		cmocka_unit_test(test_changes_hands),
		cmocka_unit_test(test_answers_nobody_asked_for),
		cmocka_unit_test(test_asks_again_on_a_new_connection),
		cmocka_unit_test(test_lookups_are_bounded),
		cmocka_unit_test(test_unused_addresses_are_forgotten),
		cmocka_unit_test(test_wanted_again_before_it_was_told),
		cmocka_unit_test(test_the_one_not_used_longest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
