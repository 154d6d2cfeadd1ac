// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Who somebody is and what they may see, asked of an API server that says what the test wants. */

#include "lib/base/tests/parse.h"

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/tests/fake_server.h"
#include "operator/access.h"
#include "operator/api_query.h"
#include "operator/review_cache.h"

#define ANN "{\"username\":\"ann\",\"groups\":[\"g\"]}"
#define KNOWN                                                                                      \
	{                                                                                          \
		"/tokenreviews ", FAKE_WHOLE, 201, NULL,                                           \
			"{\"status\":{\"authenticated\":true,\"user\":" ANN "}}"                   \
	}
#define ALLOWED                                                                                    \
	{                                                                                          \
		"/subjectaccessreviews ", FAKE_WHOLE, 201, NULL, "{\"status\":{\"allowed\":true}}" \
	}
#define DENIED                                                                                     \
	{                                                                                          \
		"/subjectaccessreviews ", FAKE_WHOLE, 201, NULL,                                   \
			"{\"status\":{\"allowed\":false}}"                                         \
	}
#define BROKEN                                                                                     \
	{                                                                                          \
		NULL, FAKE_WHOLE, 500, NULL, "{}"                                                  \
	}

struct world {
	uv_loop_t loop;
	struct fake_server server;
	struct kube_client *client;
	struct access *access;
	int answers;
	enum access_outcome outcome;
	char who[64];
	char why[256];
	bool all;
	struct strings allowed;
};

static void world_open(struct world *world, const struct fake_step *steps)
{
	struct kube_config config = {.token = (char *)"secret"};
	char server[64];

	memset(world, 0, sizeof(*world));
	uv_loop_init(&world->loop);
	fake_server_start(&world->server, &world->loop, steps);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world->server.port);
	config.server = server;
	assert_int_equal(kube_client_new(&world->loop, &config, &world->client, NULL), 0);
	assert_int_equal(access_new(world->client, &world->loop, &world->access, NULL), 0);
}

static void world_close(struct world *world)
{
	kube_client_free(world->client);
	access_free(world->access);
	assert_false(world->server.is_wrong);
	fake_server_stop(&world->server);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	strings_free(&world->allowed);
}

static void wait_for_answers(struct world *world, int count)
{
	for (int i = 0; i < 10000 && world->answers < count; i++)
		uv_run(&world->loop, UV_RUN_ONCE);
	assert_int_equal(world->answers, count);
}

static void on_identified(void *context, enum access_outcome outcome, const cJSON *user,
			  const char *why)
{
	struct world *world = context;

	world->answers++;
	world->outcome = outcome;
	snprintf(world->who, sizeof(world->who), "%s", json_text(user, "username"));
	snprintf(world->why, sizeof(world->why), "%s", why ? why : "");
}

static void on_checked(void *context, enum access_outcome outcome, const struct access_view *view,
		       const char *why)
{
	struct world *world = context;

	world->answers++;
	world->outcome = outcome;
	snprintf(world->why, sizeof(world->why), "%s", why ? why : "");
	world->all = view && view->all;
	strings_free(&world->allowed);
	for (size_t i = 0; view && i < view->allowed.count; i++) {
		assert_true(access_view_has(view, view->allowed.items[i]));
		assert_int_equal(strings_add(&world->allowed, view->allowed.items[i]), 0);
	}
	if (view)
		assert_int_equal(access_view_has(view, "nobody's"), view->all);
}

/* Checks the namespaces "n0000" to so many, as Ann, who needs one of them, or another, or none. */
static void check_needed(struct world *world, int count, const char *needed)
{
	cleanup_json cJSON *user = cJSON_Parse(ANN);
	struct strings namespaces = {0};
	char name[16];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "n%04d", i);
		assert_int_equal(strings_add(&namespaces, name), 0);
	}
	access_check(world->access, user, &namespaces, needed, on_checked, world);
	strings_free(&namespaces);
}

static void check(struct world *world, int count)
{
	check_needed(world, count, NULL);
}

static void knows_somebody_for_a_while(void **state)
{
	static const struct fake_step steps[] = {KNOWN, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	access_identify(world.access, "t", on_identified, &world);
	assert_int_equal(world.answers, 0);
	wait_for_answers(&world, 1);
	assert_int_equal(world.outcome, ACCESS_ANSWERED);
	assert_string_equal(world.who, "ann");
	access_identify(world.access, "t", on_identified, &world);
	assert_int_equal(world.answers, 2);
	assert_string_equal(world.who, "ann");
	assert_int_equal(world.server.requests, 1);
	world_close(&world);
}

static void tells_a_bad_token_from_a_bad_server(void **state)
{
	static const struct fake_step steps[] = {
		{NULL, FAKE_WHOLE, 201, NULL, "{\"status\":{\"error\":\"expired\"}}"},
		BROKEN,
		KNOWN,
		{0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	access_identify(world.access, "old", on_identified, &world);
	wait_for_answers(&world, 1);
	assert_int_equal(world.outcome, ACCESS_REFUSED);
	assert_string_equal(world.why, "expired");
	access_identify(world.access, "old", on_identified, &world);
	assert_int_equal(world.answers, 2);
	assert_int_equal(world.outcome, ACCESS_REFUSED);
	assert_string_equal(world.why, "expired");
	access_identify(world.access, "t", on_identified, &world);
	wait_for_answers(&world, 3);
	assert_int_equal(world.outcome, ACCESS_FAILED);
	access_identify(world.access, "t", on_identified, &world); /* a failure is not kept */
	wait_for_answers(&world, 4);
	assert_int_equal(world.outcome, ACCESS_ANSWERED);
	world_close(&world);
}

static void asks_about_the_whole_cluster_first(void **state)
{
	static const struct fake_step steps[] = {ALLOWED, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	check(&world, 2000);
	wait_for_answers(&world, 1);
	assert_true(world.all);
	check(&world, 5);
	assert_int_equal(world.answers, 2);
	assert_true(world.all);
	assert_int_equal(world.server.requests, 1);
	world_close(&world);
}

static void asks_about_each_namespace(void **state)
{
	static const struct fake_step steps[] = {DENIED, DENIED, ALLOWED, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	check(&world, 1);
	wait_for_answers(&world, 1);
	assert_false(world.all);
	assert_int_equal(world.allowed.count, 0);
	check(&world, 2); /* the first one is known */
	wait_for_answers(&world, 2);
	assert_int_equal(world.allowed.count, 1);
	assert_string_equal(world.allowed.items[0], "n0001");
	assert_int_equal(world.outcome, ACCESS_ANSWERED);
	check(&world, 2);
	assert_int_equal(world.answers, 3);
	assert_int_equal(world.allowed.count, 1);
	assert_int_equal(world.server.requests, 3);
	world_close(&world);
}

/* What is denied is denied after as many questions, whatever there is behind it, and again. */
static void asks_about_nothing_else_where_the_needed_one_is_denied(void **state)
{
	static const struct fake_step steps[] = {DENIED, DENIED, DENIED, {0}};
	static const int counts[] = {0, 1, 40, ACCESS_NAMESPACES_LIMIT + 1};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct world world;

		world_open(&world, steps);
		check_needed(&world, counts[i], "n0000");
		wait_for_answers(&world, 1);
		assert_int_equal(world.outcome, ACCESS_ANSWERED);
		assert_false(world.all);
		assert_int_equal(world.allowed.count, 0);
		assert_int_equal(world.server.requests, 2);
		check_needed(&world, counts[i], "n0000"); /* not known for having been asked */
		assert_int_equal(world.answers, 1);
		wait_for_answers(&world, 2);
		assert_int_equal(world.allowed.count, 0);
		assert_int_equal(world.server.requests, 3);
		world_close(&world);
	}
}

static void asks_about_the_others_after_the_needed_one(void **state)
{
	static const struct fake_step steps[] = {DENIED, ALLOWED, DENIED, DENIED, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	check_needed(&world, 3, "n0002");
	wait_for_answers(&world, 1);
	assert_int_equal(world.outcome, ACCESS_ANSWERED);
	assert_int_equal(world.allowed.count, 1);
	assert_string_equal(world.allowed.items[0], "n0002");
	assert_int_equal(world.server.requests, 4);
	check_needed(&world, ACCESS_NAMESPACES_LIMIT + 1, "n0002");
	assert_int_equal(world.answers, 2);
	assert_int_equal(world.outcome, ACCESS_TOO_MUCH);
	world_close(&world);
}

static size_t connections_of(const struct world *world)
{
	const struct fake_connection *connection;
	size_t count = 0;

	LIST_FOREACH(connection, &world->server.connections, entry)
	count++;
	return count;
}

static void asks_a_few_at_a_time(void **state)
{
	struct fake_step steps[103] = {DENIED};
	size_t most = 0;
	struct world world;

	(void)state;
	for (int i = 1; i <= 100; i++)
		steps[i] = (struct fake_step)ALLOWED;
	world_open(&world, steps);
	check(&world, 100);
	while (world.answers == 0) {
		uv_run(&world.loop, UV_RUN_ONCE);
		most = connections_of(&world) > most ? connections_of(&world) : most;
	}
	assert_int_equal(world.allowed.count, 100);
	assert_string_equal(world.allowed.items[0], "n0000");
	assert_string_equal(world.allowed.items[99], "n0099");
	assert_in_range(most, 2, ACCESS_AT_ONCE);
	world_close(&world);
}

/* As many namespaces as may be: all answers are known the next time. */
static void knows_all_answers_of_one_check(void **state)
{
	static struct fake_step steps[ACCESS_NAMESPACES_LIMIT + 2];
	struct world world;

	(void)state;
	for (int i = 0; i <= ACCESS_NAMESPACES_LIMIT; i++)
		steps[i] = (struct fake_step)DENIED;
	world_open(&world, steps);
	check(&world, ACCESS_NAMESPACES_LIMIT);
	while (world.answers == 0)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(world.server.requests, ACCESS_NAMESPACES_LIMIT + 1);
	check(&world, ACCESS_NAMESPACES_LIMIT);
	assert_int_equal(world.answers, 2);
	world_close(&world);
}

static void does_not_ask_without_end(void **state)
{
	static const struct fake_step steps[] = {DENIED, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	check(&world, ACCESS_NAMESPACES_LIMIT + 1);
	wait_for_answers(&world, 1);
	assert_int_equal(world.outcome, ACCESS_TOO_MUCH);
	assert_int_equal(world.server.requests, 1);
	world_close(&world);
}

static void tells_that_it_could_not_ask(void **state)
{
	static const struct fake_step first[] = {BROKEN, {0}};
	static const struct fake_step second[] = {DENIED, BROKEN, {0}};
	struct world world;

	(void)state;
	world_open(&world, first);
	check(&world, 3);
	wait_for_answers(&world, 1);
	assert_int_equal(world.outcome, ACCESS_FAILED);
	assert_says(world.why, "500");
	assert_int_equal(world.server.requests, 1);
	world_close(&world);
	world_open(&world, second);
	check(&world, 1);
	wait_for_answers(&world, 1);
	assert_int_equal(world.outcome, ACCESS_FAILED);
	world_close(&world);
}

static void ends_in_the_middle(void **state)
{
	static const struct fake_step steps[] = {DENIED, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	check(&world, 3);
	access_identify(world.access, "t", on_identified, &world);
	while (world.server.requests < 1)
		uv_run(&world.loop, UV_RUN_ONCE);
	world_close(&world);
	assert_int_equal(world.answers, 0);
}

/* The cache, and what a request says. */

static void keeps_answers_for_a_while(void **state)
{
	struct review_cache cache = {0};
	struct review_key a = review_key_of_right("ann", "n"), b = review_key_of_right("an", "nn");
	struct review_key c = review_key_of_token("t");
	cleanup_json cJSON *user = cJSON_Parse(ANN);

	(void)state;
	assert_memory_not_equal(&a, &b, sizeof(a));
	review_cache_keep(&cache, &a, true, NULL, NULL, 1000);
	review_cache_keep(&cache, &b, false, NULL, NULL, 1000);
	review_cache_keep(&cache, &c, true, user, NULL, 2000);
	assert_true(review_cache_find(&cache, &a, 1000 + REVIEW_KEPT_MS - 1)->good);
	assert_false(review_cache_find(&cache, &b, 1000)->good);
	assert_null(review_cache_find(&cache, &a, 1000 + REVIEW_KEPT_MS));
	assert_string_equal(json_text(review_cache_find(&cache, &c, 2000)->user, "username"),
			    "ann");
	review_cache_keep(&cache, &c, false, NULL, "expired", 2000);
	assert_string_equal(review_cache_find(&cache, &c, 2000)->why, "expired");
	review_cache_clear(&cache);
	assert_null(cache.reviews);
}

static void drops_the_oldest_answer(void **state)
{
	struct review_cache cache = {0};
	struct review_key first = review_key_of_token("0"), second = review_key_of_token("1");
	char token[16];

	(void)state;
	for (int i = 0; i <= REVIEW_CACHE_LIMIT; i++) {
		struct review_key key;

		snprintf(token, sizeof(token), "%d", i);
		key = review_key_of_token(token);
		review_cache_keep(&cache, &key, true, NULL, NULL, 0);
	}
	assert_int_equal(HASH_COUNT(cache.reviews), REVIEW_CACHE_LIMIT);
	assert_null(review_cache_find(&cache, &first, 0));
	assert_non_null(review_cache_find(&cache, &second, 0));
	review_cache_clear(&cache);
}

static void reads_what_is_asked_for(void **state)
{
	static const struct {
		const char *members[2], *namespace, *part;
	} cases[] = {
		{{NULL}, NULL, NULL},
		{{"namespace=shop-1"}, "shop-1", NULL},
		{{"namespace="}, NULL, "no name of a namespace"},
		{{"namespace=Shop"}, NULL, "no name of a namespace"},
		{{"namespace=../x"}, NULL, "no name of a namespace"},
		{{"namespace"}, NULL, "only namespace=NAME"},
		{{"limit=1"}, NULL, "\"limit=1\""},
		{{"namespace=a", "namespace=b"}, NULL, "twice"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strings query = {0};
		const char *namespace = NULL;
		struct error error = {0};
		int result;

		for (size_t m = 0; m < 2 && cases[i].members[m]; m++)
			assert_int_equal(strings_add(&query, cases[i].members[m]), 0);
		result = api_query_namespace(&query, &namespace, &error);
		assert_int_equal(result < 0, cases[i].part != NULL);
		assert_true(string_equal(namespace, cases[i].namespace));
		if (cases[i].part)
			assert_says(error.message, cases[i].part);
		strings_free(&query);
	}
}

static void finds_the_token(void **state)
{
	(void)state;
	assert_string_equal(api_bearer_token("Bearer abc"), "abc");
	assert_string_equal(api_bearer_token("bearer  abc"), "abc");
	assert_null(api_bearer_token("Bearer "));
	assert_null(api_bearer_token("Bearer"));
	assert_null(api_bearer_token("Basic abc"));
	assert_null(api_bearer_token(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_somebody_for_a_while),
		cmocka_unit_test(tells_a_bad_token_from_a_bad_server),
		cmocka_unit_test(asks_about_the_whole_cluster_first),
		cmocka_unit_test(asks_about_each_namespace),
		cmocka_unit_test(asks_about_nothing_else_where_the_needed_one_is_denied),
		cmocka_unit_test(asks_about_the_others_after_the_needed_one),
		cmocka_unit_test(asks_a_few_at_a_time),
		cmocka_unit_test(knows_all_answers_of_one_check),
		cmocka_unit_test(does_not_ask_without_end),
		cmocka_unit_test(tells_that_it_could_not_ask),
		cmocka_unit_test(ends_in_the_middle),
		cmocka_unit_test(keeps_answers_for_a_while),
		cmocka_unit_test(drops_the_oldest_answer),
		cmocka_unit_test(reads_what_is_asked_for),
		cmocka_unit_test(finds_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
