// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/share.h"
#include "node-agent/probes/dns_search.h"
#include "node-agent/probes/dns_tracker.h"

#include <cmocka.h>

#define MS 1000000ULL
#define A  DNS_TYPE_A

/* What was told, one line for each lookup. */
struct fixture {
	struct dns_budget budget;
	struct dns_tracker *tracker;
	char told[65536];
	unsigned long count;
	uint64_t now;
};

/* "name type code ms/retries(+resent)[ flags]" */
static void tell(void *context, const struct dns_lookup *lookup)
{
	struct fixture *fixture = context;
	size_t length = strlen(fixture->told);
	char code[16];

	snprintf(code, sizeof(code), "%u", lookup->code);
	fixture->count++;
	if (length > sizeof(fixture->told) - 1000)
		return;
	snprintf(fixture->told + length, sizeof(fixture->told) - length, "%s %u %s %llums",
		 lookup->name, lookup->type, lookup->timed_out ? "timeout" : code,
		 (unsigned long long)(lookup->duration / MS));
	length = strlen(fixture->told);
	if (lookup->retries)
		length += (size_t)snprintf(fixture->told + length, 32, " retry %u+%u",
					   lookup->retries, lookup->resent);
	if (lookup->search)
		length += (size_t)snprintf(fixture->told + length, 300, " of %.*s",
					   (int)lookup->search, lookup->name);
	snprintf(fixture->told + length, 32, "%s%s\n", lookup->tcp ? " tcp" : "",
		 lookup->truncated ? " truncated" : "");
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	*state = fixture;
	fixture->now = 1000 * MS;
	fixture->tracker = dns_tracker_new("shop", &fixture->budget, tell, fixture);
	return fixture->tracker ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	dns_tracker_free(fixture->tracker);
	assert_int_equal(fixture->budget.used, 0);
	assert_null(fixture->budget.namespaces.table);
	free(fixture);
	return 0;
}

static void pass(struct fixture *fixture, uint64_t milliseconds)
{
	fixture->now += milliseconds * MS;
	dns_tracker_advance(fixture->tracker, fixture->now);
}

/* The message of a query or answer; port, id and server say whose. */
struct whose {
	uint16_t port;
	uint16_t id;
	uint8_t server;
	bool tcp;
};

static const struct whose first = {40000, 7, 1, false};
static const struct whose other_id = {40000, 8, 1, false};
static const struct whose other_port = {40001, 7, 1, false};
static const struct whose other_server = {40000, 7, 2, false};
static const struct whose stranger = {40001, 9, 1, false};

static struct dns_sighting sighting(const struct fixture *fixture, const struct whose *whose,
				    struct dns_message *message, const char *name, uint16_t type)
{
	struct dns_sighting seen = {
		.time = fixture->now,
		.client_port = whose->port,
		.tcp = whose->tcp,
		.message = message,
	};

	message->id = whose->id;
	message->type = type;
	snprintf(message->name, sizeof(message->name), "%s", name);
	seen.server[15] = whose->server;
	return seen;
}

static void ask_type(struct fixture *fixture, const struct whose *whose, const char *name,
		     uint16_t type)
{
	struct dns_message message = {0};
	struct dns_sighting seen = sighting(fixture, whose, &message, name, type);

	dns_tracker_ask(fixture->tracker, &seen);
}

static void ask(struct fixture *fixture, const struct whose *whose, const char *name)
{
	ask_type(fixture, whose, name, A);
}

static bool answer_type(struct fixture *fixture, const struct whose *whose, const char *name,
			uint16_t type, uint16_t code)
{
	struct dns_message message = {.is_answer = true, .code = code};
	struct dns_sighting seen = sighting(fixture, whose, &message, name, type);

	return dns_tracker_answer(fixture->tracker, &seen);
}

static bool answer(struct fixture *fixture, const struct whose *whose, const char *name,
		   uint16_t code)
{
	return answer_type(fixture, whose, name, A, code);
}

#define assert_told(fixture, expected)                                                             \
	do {                                                                                       \
		assert_string_equal((fixture)->told, expected);                                    \
		(fixture)->told[0] = '\0';                                                         \
	} while (0)

static void pairs_queries_and_answers(void **state)
{
	struct fixture *fixture = *state;

	ask_type(fixture, &first, "web", A);
	ask_type(fixture, &other_id, "web", DNS_TYPE_AAAA);
	pass(fixture, 3);
	assert_true(answer_type(fixture, &other_id, "web", DNS_TYPE_AAAA, 0));
	pass(fixture, 4);
	assert_true(answer_type(fixture, &first, "web", A, 2));
	assert_told(fixture, "web 28 0 3ms\nweb 1 2 7ms\n");
	pass(fixture, 60000);
	assert_told(fixture, "");
}

static void takes_only_the_answer_to_its_query(void **state)
{
	struct fixture *fixture = *state;
	const struct whose by_tcp = {40000, 7, 1, true};

	assert_false(answer(fixture, &first, "web", 0)); /* nobody has asked */
	ask(fixture, &first, "web");
	assert_false(answer(fixture, &other_id, "web", 0));
	assert_false(answer(fixture, &other_port, "web", 0));
	assert_false(answer(fixture, &by_tcp, "web", 0));
	assert_false(answer(fixture, &first, "web2", 0));
	assert_false(answer_type(fixture, &first, "web", DNS_TYPE_AAAA, 0));
	assert_told(fixture, "");
	assert_true(answer(fixture, &other_server, "web", 0)); /* behind a translated address */
	assert_false(answer(fixture, &first, "web", 0));       /* once */
	assert_told(fixture, "web 1 0 0ms\n");
}

static void tells_a_timeout_once(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "web");
	pass(fixture, 4999);
	assert_told(fixture, "");
	pass(fixture, 1);
	assert_told(fixture, "web 1 timeout 5000ms\n");
	assert_false(answer(fixture, &first, "web", 0)); /* too late */
	pass(fixture, 60000);
	assert_told(fixture, "");
	assert_int_equal(fixture->budget.used, 0);
}

/* Without a call of advance between: the messages bring the time. */
static void messages_bring_the_time(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "web");
	fixture->now += 5500 * MS;
	assert_false(answer(fixture, &first, "web", 0));
	assert_told(fixture, "web 1 timeout 5000ms\n");
}

/* The same query from the same socket after 5 s without an answer. */
static void a_retry_of_glibc(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "web");
	pass(fixture, 5005);
	ask(fixture, &first, "web");
	pass(fixture, 2);
	assert_true(answer(fixture, &first, "web", 0));
	assert_told(fixture, "web 1 timeout 5000ms\nweb 1 0 2ms retry 1+1\n");
}

/* To the next server, from a socket of its own, with the same id. */
static void a_retry_of_glibc_at_another_server(void **state)
{
	struct fixture *fixture = *state;
	const struct whose next = {40001, 7, 2, false};

	ask(fixture, &first, "web");
	pass(fixture, 1000); /* options timeout:1 */
	ask(fixture, &next, "web");
	pass(fixture, 2);
	assert_true(answer(fixture, &next, "web", 0));
	assert_told(fixture, "web 1 0 2ms retry 1+1\n");
	pass(fixture, 10000);
	assert_told(fixture, "web 1 timeout 5000ms\n");
}

/* The next server is asked at once where the first cannot be reached: the id tells that it is one
 * program's. */
static void the_same_id_is_a_retry_at_once(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "web");
	ask(fixture, &other_port, "web");
	assert_true(answer(fixture, &other_port, "web", 0));
	assert_told(fixture, "web 1 0 0ms retry 1+1\n");
}

/* Each retry counts once, whether the query times out in between or not. */
static void retries_are_told_once(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "web");
	pass(fixture, 2500);
	ask(fixture, &first, "web");
	pass(fixture, 2600);
	ask(fixture, &first, "web");
	assert_true(answer(fixture, &first, "web", 0));
	assert_told(fixture, "web 1 timeout 5000ms retry 1+1\nweb 1 0 0ms retry 2+1\n");
}

/* To all servers at once; again after 2.5 s; the first answer counts, others come too late. */
static void the_way_of_musl(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "web");
	ask(fixture, &other_server, "web");
	pass(fixture, 2500);
	ask(fixture, &first, "web");
	ask(fixture, &other_server, "web");
	pass(fixture, 1);
	assert_true(answer(fixture, &other_server, "web", 0));
	assert_false(answer(fixture, &first, "web", 0));
	assert_told(fixture, "web 1 0 2501ms retry 1+1\n");
	pass(fixture, 60000);
	assert_told(fixture, "");
}

static void a_new_id_is_a_retry_only_after_a_while(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "web");
	pass(fixture, 249);
	ask(fixture, &stranger, "web"); /* another thread of the pod */
	assert_true(answer(fixture, &first, "web", 0));
	assert_true(answer(fixture, &stranger, "web", 0));
	assert_told(fixture, "web 1 0 249ms\nweb 1 0 0ms\n");
	ask(fixture, &first, "web");
	pass(fixture, 250);
	ask(fixture, &stranger, "web");
	assert_true(answer(fixture, &stranger, "web", 0));
	assert_told(fixture, "web 1 0 0ms retry 1+1\n");
	ask(fixture, &other_port, "web"); /* nothing is open of its id any more */
	assert_true(answer(fixture, &other_port, "web", 0));
	pass(fixture, 5000);
	fixture->told[0] = '\0';
	ask(fixture, &first, "web"); /* what was answered is not asked again, but anew */
	assert_true(answer(fixture, &first, "web", 0));
}

static void retries_add_up(void **state)
{
	struct fixture *fixture = *state;
	struct whose whose = first;

	for (int i = 0; i < 4; i++, whose.id++) {
		ask(fixture, &whose, "web");
		pass(fixture, 1000);
	}
	whose.id--;
	assert_true(answer(fixture, &whose, "web", 0));
	assert_told(fixture, "web 1 0 1000ms retry 3+1\n");
	pass(fixture, 20000);
	assert_told(fixture, "web 1 timeout 5000ms\nweb 1 timeout 5000ms retry 1+1\n"
			     "web 1 timeout 5000ms retry 2+1\n");
}

/* Truncated over UDP, whole over TCP: two answers, no retry. */
static void tcp_after_truncation_is_no_retry(void **state)
{
	struct fixture *fixture = *state;
	const struct whose by_tcp = {50000, 7, 1, true};
	struct dns_message message = {.is_answer = true, .truncated = true};
	struct dns_sighting seen = sighting(fixture, &first, &message, "web", A);

	ask(fixture, &first, "web");
	assert_true(dns_tracker_answer(fixture->tracker, &seen));
	ask(fixture, &by_tcp, "web");
	assert_true(answer(fixture, &by_tcp, "web", 0));
	assert_told(fixture, "web 1 0 0ms truncated\nweb 1 0 0ms tcp\n");
}

static void an_absent_name_is_told_after_a_second(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "wbe.shop.svc.cluster.local");
	assert_true(answer(fixture, &first, "wbe.shop.svc.cluster.local", 3));
	pass(fixture, 999);
	assert_told(fixture, "");
	pass(fixture, 1);
	assert_told(fixture, "wbe.shop.svc.cluster.local 1 3 0ms\n");
}

/* Asks a list of names, one after the other, in vain; the last one with `code`. */
static void search(struct fixture *fixture, const char *const *names, size_t count, uint16_t code)
{
	for (size_t i = 0; i < count; i++) {
		struct whose whose = {(uint16_t)(41000 + i), (uint16_t)i, 1, false};
		struct whose second = {(uint16_t)(41000 + i), (uint16_t)(i + 100), 1, false};

		ask_type(fixture, &whose, names[i], A);
		ask_type(fixture, &second, names[i], DNS_TYPE_AAAA);
		assert_true(answer_type(fixture, &whose, names[i], A, i + 1 < count ? 3 : code));
		assert_true(answer_type(fixture, &second, names[i], DNS_TYPE_AAAA,
					i + 1 < count ? 3 : code));
		pass(fixture, 1);
	}
	pass(fixture, 1000);
}

static void a_search_that_ends_with_the_name_as_it_is(void **state)
{
	static const char *const names[] = {
		"api.example.com.shop.svc.cluster.local",
		"api.example.com.svc.cluster.local",
		"api.example.com.cluster.local",
		"api.example.com.node.internal",
		"api.example.com",
	};

	search(*state, names, 5, 0);
	assert_told((struct fixture *)*state,
		    "api.example.com.shop.svc.cluster.local 1 3 0ms of api.example.com\n"
		    "api.example.com.shop.svc.cluster.local 28 3 0ms of api.example.com\n"
		    "api.example.com.svc.cluster.local 1 3 0ms of api.example.com\n"
		    "api.example.com.svc.cluster.local 28 3 0ms of api.example.com\n"
		    "api.example.com.cluster.local 1 3 0ms of api.example.com\n"
		    "api.example.com.cluster.local 28 3 0ms of api.example.com\n"
		    "api.example.com.node.internal 1 3 0ms of api.example.com\n"
		    "api.example.com.node.internal 28 3 0ms of api.example.com\n"
		    "api.example.com 1 0 0ms\n"
		    "api.example.com 28 0 0ms\n");
}

/* Whole as it was given, fewer dots than ndots: the failure is told of the name as asked, once. */
static void a_whole_name_that_does_not_exist(void **state)
{
	static const char *const names[] = {
		"wbe.shop.svc.cluster.local.shop.svc.cluster.local",
		"wbe.shop.svc.cluster.local.svc.cluster.local",
		"wbe.shop.svc.cluster.local.cluster.local",
		"wbe.shop.svc.cluster.local",
	};
	struct fixture *fixture = *state;

	search(fixture, names, 4, 3);
	assert_non_null(strstr(fixture->told, "\nwbe.shop.svc.cluster.local 1 3 0ms\n"));
	assert_non_null(strstr(fixture->told, "\nwbe.shop.svc.cluster.local 28 3 0ms\n"));
	assert_int_equal(fixture->count, 8);
	for (int i = 0; i < 3; i++) {
		char line[256];

		snprintf(line, sizeof(line), "%s 1 3 0ms of wbe.shop.svc.cluster.local\n",
			 names[i]);
		assert_non_null(strstr(fixture->told, line));
	}
}

/* As it is first (enough dots), then the search. */
static void a_search_that_begins_with_the_name_as_it_is(void **state)
{
	static const char *const names[] = {"a.example.com", "a.example.com.shop.svc.k8s.test",
					    "a.example.com.svc.k8s.test", "a.example.com.k8s.test"};
	struct fixture *fixture = *state;

	search(fixture, names, 4, 3);
	assert_non_null(strstr(fixture->told, "a.example.com 1 3 0ms\n"));
	for (int i = 1; i < 4; i++) {
		char line[256];

		snprintf(line, sizeof(line), "%s 28 3 0ms of a.example.com\n", names[i]);
		assert_non_null(strstr(fixture->told, line));
	}
	assert_int_equal(fixture->count, 8);
}

/* What was looked up a moment before begins alike and is in vain too. */
static void a_search_after_a_shorter_name(void **state)
{
	static const char *const names[] = {
		"api",
		"api.example.shop.svc.cluster.local",
		"api.example.svc.cluster.local",
		"api.example.cluster.local",
		"api.example",
	};
	struct fixture *fixture = *state;

	search(fixture, names, 5, 3);
	assert_non_null(strstr(fixture->told, "api 1 3 0ms\n"));
	assert_non_null(strstr(fixture->told, "\napi.example 1 3 0ms\n"));
	assert_non_null(strstr(fixture->told, "\napi.example.svc.cluster.local 1 3 0ms of "
					      "api.example\n"));
	assert_int_equal(fixture->count, 10);
}

/* Timed out, sent again, and then there is no such name: both are told. */
static void an_absent_name_after_a_timeout(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, &first, "wbe");
	pass(fixture, 5005);
	ask(fixture, &first, "wbe");
	assert_true(answer(fixture, &first, "wbe", 3));
	pass(fixture, 1000);
	assert_told(fixture, "wbe 1 timeout 5000ms\nwbe 1 3 0ms retry 1+1\n");
}

/* What the search finds is told under its own name. */
static void a_search_that_finds(void **state)
{
	static const char *const names[] = {"db.prod.shop.svc.cluster.local",
					    "db.prod.svc.cluster.local"};
	struct fixture *fixture = *state;

	search(fixture, names, 2, 0);
	assert_told(fixture, "db.prod.shop.svc.cluster.local 1 3 0ms of db.prod\n"
			     "db.prod.shop.svc.cluster.local 28 3 0ms of db.prod\n"
			     "db.prod.svc.cluster.local 1 0 0ms\n"
			     "db.prod.svc.cluster.local 28 0 0ms\n");
}

static void tells_steps_of_a_search(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		enum dns_search_step step;
		const char *asked;
	} cases[] = {
		{"a.b.shop.svc.d", "a.b.svc.d", DNS_SEARCH_NEXT, "a.b"},
		{"a.b.shop.svc.d", "a.b.d", DNS_SEARCH_NEXT, "a.b"},
		{"a.b.svc.d", "a.b.d", DNS_SEARCH_NEXT, "a.b"},
		{"a.shop.shop.svc.d", "a.shop.svc.d", DNS_SEARCH_NEXT, "a.shop"},
		{"a.b.svc.d", "a.b.shop.svc.d", DNS_SEARCH_NONE, ""},
		{"a.shop.svc.d", "a", DNS_SEARCH_ENDED, "a"},
		{"a.b", "a.b.shop.svc.d", DNS_SEARCH_BEGUN, "a.b"},
		{"a", "ab.c", DNS_SEARCH_NONE, ""},
		{"a.b", "a.b", DNS_SEARCH_NONE, ""},
		{"www.one.com", "www.two.com", DNS_SEARCH_NONE, ""},
		{"a.other.svc.d", "a.svc.d", DNS_SEARCH_NONE, ""},
		{"x.shop.svc.d", "y.svc.d", DNS_SEARCH_NONE, ""},
		{"a.shop.com", "a.com", DNS_SEARCH_NONE, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length = 0;

		assert_int_equal(dns_search_step(cases[i].first, cases[i].second, "shop", &length),
				 cases[i].step);
		assert_int_equal(length, strlen(cases[i].asked));
	}
}

/* A flood of names that do not exist: a few wait, all are told. */
static void a_flood_of_absent_names(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < 5000; i++) {
		struct whose whose = {(uint16_t)i, (uint16_t)i, 1, false};
		char name[32];

		snprintf(name, sizeof(name), "x%u.example.com", i);
		ask(fixture, &whose, name);
		assert_true(answer(fixture, &whose, name, 3));
		assert_true(fixture->budget.used <= DNS_SEARCH_LIMIT);
	}
	pass(fixture, 1000);
	assert_int_equal(fixture->count, 5000);
	assert_int_equal(dns_tracker_forgotten(fixture->tracker), 0);
}

/* Queries of a target of its own that nobody answers. Returns the target. */
static struct dns_tracker *flood(struct fixture *fixture, const char *namespace, uint16_t queries)
{
	struct dns_tracker *own = fixture->tracker, *other;

	other = fixture->tracker = dns_tracker_new(namespace, &fixture->budget, tell, fixture);
	for (uint16_t i = 0; i < queries; i++)
		ask(fixture, &(struct whose){i, i, 1, false}, "flood");
	fixture->tracker = own;
	return other;
}

#define FLOODS 4
#define SHARE  (DNS_NODE_LIMIT / (1 + SHARE_TIMES_FREE) * SHARE_TIMES_FREE)

/* Nobody answers: the oldest go, and are counted; one target does not take the others' room. */
static void a_flood_without_answers(void **state)
{
	struct fixture *fixture = *state;
	struct dns_tracker *floods[FLOODS];

	for (unsigned int i = 0; i < 3000; i++) {
		struct whose whose = {(uint16_t)i, (uint16_t)i, 1, false};

		ask(fixture, &whose, "flood");
	}
	assert_int_equal(fixture->budget.used, DNS_TARGET_LIMIT);
	assert_int_equal(dns_tracker_forgotten(fixture->tracker), 3000 - DNS_TARGET_LIMIT);
	pass(fixture, 5000);
	assert_int_equal(fixture->count, DNS_TARGET_LIMIT);
	for (int i = 0; i < FLOODS; i++)
		floods[i] = flood(fixture, "shop", 2000);
	assert_int_equal(fixture->budget.used, SHARE);
	ask(fixture, &stranger, "web"); /* what has timed out makes room */
	assert_true(answer(fixture, &stranger, "web", 0));
	for (int i = 0; i < FLOODS; i++)
		dns_tracker_free(floods[i]);
}

/* Pods of one namespace have all that they may: those of another have room all the same. */
static void a_flood_in_another_namespace(void **state)
{
	struct fixture *fixture = *state;
	struct dns_tracker *floods[FLOODS], *modest;

	for (int i = 0; i < FLOODS; i++)
		floods[i] = flood(fixture, "greedy", 2000);
	assert_int_equal(fixture->budget.used, SHARE);
	modest = flood(fixture, "modest", 100);
	assert_int_equal(fixture->budget.used, SHARE + 100);
	assert_int_equal(dns_tracker_forgotten(modest), 0);
	for (int i = 0; i < FLOODS; i++)
		dns_tracker_free(floods[i]);
	assert_int_equal(fixture->budget.used, 100);
	dns_tracker_free(modest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(pairs_queries_and_answers),
		TEST(takes_only_the_answer_to_its_query),
		TEST(tells_a_timeout_once),
		TEST(messages_bring_the_time),
		TEST(a_retry_of_glibc),
		TEST(a_retry_of_glibc_at_another_server),
		TEST(the_same_id_is_a_retry_at_once),
		TEST(retries_are_told_once),
		TEST(the_way_of_musl),
		TEST(a_new_id_is_a_retry_only_after_a_while),
		TEST(retries_add_up),
		TEST(tcp_after_truncation_is_no_retry),
		TEST(an_absent_name_is_told_after_a_second),
		TEST(a_search_that_ends_with_the_name_as_it_is),
		TEST(a_whole_name_that_does_not_exist),
		TEST(a_search_that_begins_with_the_name_as_it_is),
		TEST(a_search_that_finds),
		TEST(a_search_after_a_shorter_name),
		TEST(an_absent_name_after_a_timeout),
		TEST(tells_steps_of_a_search),
		TEST(a_flood_of_absent_names),
		TEST(a_flood_without_answers),
		TEST(a_flood_in_another_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
