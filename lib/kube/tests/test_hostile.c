// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * An informer against a server that goes wrong in every way that others have met. Whatever happens,
 * what the informer's handlers were told must in the end be what is true on the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/kube/informer_settings.h"
#include "lib/kube/tests/certificate.h"
#include "lib/kube/tests/hostile_server.h"

#define OBJECTS	    16
#define PAGE	    5
#define DEADLINE_MS 60000
#define GONE	    "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old resource version\"}"

/* What the handlers were told of one object. */
struct told_object {
	char uid[16]; /* "" when it is not there */
	char version[TRUTH_VERSION_SIZE];
};

struct world {
	uv_loop_t loop;
	uv_timer_t tick;
	struct hostile_server server;
	struct kube_client *client;
	struct kube_informer *informer;
	struct told_object told[OBJECTS];
	unsigned int synced;
	unsigned int random;
	size_t fill_limit; /* of objects that the informer is to see */
	char directory[32];
	char token_file[64];
	char certificate_file[64];
};

static struct told_object *told_of(struct world *world, const char *name)
{
	size_t index = strtoul(name + 1, NULL, 10);

	assert_in_range(index, 0, OBJECTS - 1);
	return &world->told[index];
}

static void on_upsert(void *context, const cJSON *object)
{
	const cJSON *metadata = json_find(object, "metadata");
	struct told_object *told = told_of(context, json_text(metadata, "name"));

	snprintf(told->uid, sizeof(told->uid), "%s", json_text(metadata, "uid"));
	snprintf(told->version, sizeof(told->version), "%s",
		 json_text(metadata, "resourceVersion"));
}

static void on_remove(void *context, const char *namespace, const char *name, const char *uid)
{
	struct told_object *told = told_of(context, name);

	assert_string_equal(namespace, "ns");
	assert_string_equal(told->uid, uid);
	told->uid[0] = '\0';
}

static void on_synced(void *context)
{
	struct world *world = context;

	world->synced++;
}

/* As random as a test may be: the same in each run. */
static uint32_t next_random(void *context)
{
	struct world *world = context;

	world->random = world->random * 1664525 + 1013904223;
	return world->random >> 8;
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer; /* wakes the loop, no more */
}

static void run_for(struct world *world, uint64_t milliseconds)
{
	uint64_t end = uv_now(&world->loop) + milliseconds;

	while (uv_now(&world->loop) < end)
		uv_run(&world->loop, UV_RUN_ONCE);
}

static struct kube_informer_settings quick_settings(struct world *world)
{
	return (struct kube_informer_settings){
		.page_limit = PAGE,
		.backoff_least = 1,
		.backoff_most = 4,
		.watch_least_seconds = 300,
		.watch_most_seconds = 600,
		.watch_margin = 30000,
		.page_seconds = 60,
		.sound_after = 10000,
		.object_limit = 4000,
		.random = next_random,
		.random_context = world,
	};
}

static void start_loop(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->random = 1;
	world->fill_limit = 3000;
	uv_loop_init(&world->loop);
	uv_timer_init(&world->loop, &world->tick);
	uv_timer_start(&world->tick, on_tick, 1, 5);
	hostile_server_start(&world->server, &world->loop, OBJECTS);
	for (size_t i = 0; i < OBJECTS; i += 2)
		truth_put(&world->server.truth, i, 20);
}

static void start_informer(struct world *world, const struct kube_config *config,
			   const struct kube_informer_settings *settings)
{
	const struct kube_informer_handlers handlers = {on_upsert, on_remove, on_synced};
	struct error error = {""};

	if (kube_client_new(&world->loop, config, &world->client, &error) < 0 ||
	    kube_informer_new_with(world->client, "/api/v1/pods", NULL, settings, &handlers, world,
				   &world->informer, &error) < 0)
		fail_msg("%s", error.message);
}

static void open_world_with(struct world *world, const struct kube_informer_settings *settings)
{
	struct kube_config config = {0};
	char server[64];

	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world->server.port);
	config.server = server;
	start_informer(world, &config, settings);
}

static void close_world(struct world *world)
{
	kube_informer_free(world->informer);
	kube_client_free(world->client);
	hostile_server_stop(&world->server);
	uv_close((uv_handle_t *)&world->tick, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
}

static bool is_told_right(const struct world *world, size_t index)
{
	const struct truth_object *object = &world->server.truth.objects[index];
	const struct told_object *told = &world->told[index];
	char version[TRUTH_VERSION_SIZE], uid[16];

	if (!object->exists || object->fill > world->fill_limit)
		return !*told->uid;
	truth_format_version(version, object->version);
	snprintf(uid, sizeof(uid), "u%u", object->uid);
	return strcmp(told->uid, uid) == 0 && strcmp(told->version, version) == 0;
}

static size_t count_wrong(const struct world *world)
{
	size_t count = 0;

	for (size_t i = 0; i < OBJECTS; i++)
		count += !is_told_right(world, i);
	return count;
}

/* Waits until what was told is true, and the informer watches. */
static void await_truth(struct world *world)
{
	uint64_t end = uv_now(&world->loop) + DEADLINE_MS;

	hostile_server_tell(&world->server);
	while ((count_wrong(world) || !world->synced) && uv_now(&world->loop) < end)
		uv_run(&world->loop, UV_RUN_ONCE);
	assert_int_equal(count_wrong(world), 0);
	assert_int_equal(world->synced, 1);
}

static void await_fault(struct world *world, unsigned int faults)
{
	uint64_t end = uv_now(&world->loop) + DEADLINE_MS;

	while (world->server.faults_met < faults && uv_now(&world->loop) < end)
		uv_run(&world->loop, UV_RUN_ONCE);
	assert_in_range(world->server.faults_met, faults, UINT32_MAX);
}

static void await_failures(struct world *world, unsigned int more)
{
	uint64_t count = kube_informer_stats(world->informer).failures + more;
	uint64_t end = uv_now(&world->loop) + DEADLINE_MS;

	while (kube_informer_stats(world->informer).failures < count && uv_now(&world->loop) < end)
		uv_run(&world->loop, UV_RUN_ONCE);
	assert_in_range(kube_informer_stats(world->informer).failures, count, UINT32_MAX);
}

static void open_world(struct world *world)
{
	struct kube_informer_settings settings;

	start_loop(world);
	settings = quick_settings(world);
	open_world_with(world, &settings);
	await_truth(world);
}

static void happen(struct world *world, unsigned int times)
{
	while (times--)
		truth_happen(&world->server.truth, next_random(world));
}

/* The present watch goes, things happen, and the next answers have the fault. */
static void meet(struct world *world, struct hostile_fault fault)
{
	unsigned int met = world->server.faults_met;

	if (!fault.times)
		fault.times = 1;
	world->server.fault = fault;
	hostile_server_hang_up(&world->server);
	happen(world, 6);
	for (size_t i = 0; fault.place == PLACE_LATER_PAGE && i <= PAGE; i++)
		truth_put(&world->server.truth, i, 20); /* so that there is a later page */
	if (fault.place != PLACE_WATCH)
		truth_compact(&world->server.truth); /* so that a list comes */
	await_fault(world, met + fault.times);
	await_truth(world);
	happen(world, 3);
	await_truth(world);
}

static void follows_what_happens(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	for (int i = 0; i < 200; i++) {
		happen(&world, 1 + i % 5);
		await_truth(&world);
	}
	assert_int_equal(world.server.lists, 2); /* pages of the first list */
	assert_int_equal(world.server.watches, 1);
	assert_int_equal(kube_informer_stats(world.informer).failures, 0);
	close_world(&world);
}

/* Ends the answer after each of its first bytes in turn: its head, and several objects. */
static void end_after_each_byte(enum hostile_fault_kind kind, enum hostile_place place)
{
	struct world world;

	open_world(&world);
	for (size_t at = 0; at < 600; at++)
		meet(&world, (struct hostile_fault){.kind = kind, .place = place, .at = at});
	assert_in_range(kube_informer_stats(world.informer).failures, 600, UINT32_MAX);
	assert_int_equal(kube_informer_stats(world.informer).bad_objects, 0);
	close_world(&world);
}

static void loses_nothing_when_a_watch_is_reset_at_any_byte(void **state)
{
	(void)state;
	end_after_each_byte(FAULT_RESET, PLACE_WATCH);
}

static void loses_nothing_when_a_watch_ends_at_any_byte(void **state)
{
	(void)state;
	end_after_each_byte(FAULT_END, PLACE_WATCH);
}

static void loses_nothing_when_a_list_is_reset_at_any_byte(void **state)
{
	(void)state;
	end_after_each_byte(FAULT_RESET, PLACE_LIST);
}

static void loses_nothing_when_a_list_ends_at_any_byte(void **state)
{
	(void)state;
	end_after_each_byte(FAULT_END, PLACE_LATER_PAGE);
}

static void meet_once(struct hostile_fault fault)
{
	struct world world;

	open_world(&world);
	for (int i = 0; i < 20; i++)
		meet(&world, fault);
	close_world(&world);
}

static void lists_again_when_the_version_is_gone(void **state)
{
	struct hostile_fault fault = {
		.kind = FAULT_STATUS, .place = PLACE_WATCH, .status = 410, .body = GONE};

	(void)state;
	meet_once(fault);
	fault.kind = FAULT_ERROR_EVENT;
	meet_once(fault);
	fault.body = "{\"code\":-9223372036854775808,\"details\":{\"retryAfterSeconds\":-1}}";
	meet_once(fault);
}

static void begins_again_when_a_page_is_gone(void **state)
{
	struct hostile_fault fault = {
		.kind = FAULT_STATUS, .place = PLACE_LATER_PAGE, .status = 410, .body = GONE};

	(void)state;
	meet_once(fault);
	fault.kind = FAULT_SAME_PAGE;
	meet_once(fault);
}

/* Deletions that nobody tells of: they happen while the watch is down, and the journal is gone. */
static void finds_what_was_deleted_while_it_was_away(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	for (size_t i = 0; i < OBJECTS; i++) {
		hostile_server_hang_up(&world.server);
		truth_put(&world.server.truth, (i + 1) % OBJECTS, 0);
		truth_delete(&world.server.truth, i);
		truth_replace(&world.server.truth, (i + 2) % OBJECTS);
		truth_compact(&world.server.truth);
		await_truth(&world);
	}
	assert_int_equal(kube_informer_stats(world.informer).lists, OBJECTS + 1);
	close_world(&world);
}

static void lists_again_after_a_truncated_line(void **state)
{
	(void)state;
	meet_once((struct hostile_fault){.kind = FAULT_TRUNCATE, .place = PLACE_WATCH});
}

static void bears_events_that_come_twice(void **state)
{
	(void)state;
	meet_once((struct hostile_fault){.kind = FAULT_DUPLICATE, .place = PLACE_WATCH});
}

/* Versions have no order that a client could see: what was told last is where it goes on. */
static void bears_events_in_a_wrong_order(void **state)
{
	(void)state;
	meet_once((struct hostile_fault){.kind = FAULT_REORDER, .place = PLACE_WATCH});
}

static void tries_again_after_refusals(void **state)
{
	static const struct {
		int status;
		const char *headers;
	} refusals[] = {
		{429, NULL},
		{429, "Retry-After: 0\r\n"},
		{429, "Retry-After: -7\r\n"},
		{429, "Retry-After: soon\r\n"},
		{503, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"},
		{500, NULL},
		{403, NULL},
		{404, NULL},
		{200, NULL}, /* an answer of {} */
	};
	struct world world;

	(void)state;
	open_world(&world);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct hostile_fault fault = {.kind = FAULT_STATUS,
					      .place = PLACE_LIST,
					      .times = 8,
					      .status = refusals[i].status,
					      .headers = refusals[i].headers};

		meet(&world, fault);
		fault.place = PLACE_WATCH;
		meet(&world, fault);
	}
	close_world(&world);
}

/* 64 MiB that come as one object, in a watch and in a list. */
static void takes_a_giant_for_absent(void **state)
{
	struct truth *truth;
	struct world world;

	(void)state;
	open_world(&world);
	truth = &world.server.truth;
	truth_put(truth, 2, 64 << 20);
	truth_put(truth, 3, 1);
	await_truth(&world);
	assert_int_equal(kube_informer_stats(world.informer).bad_objects, 1);
	assert_int_equal(kube_informer_stats(world.informer).lists, 1);
	truth_compact(truth);
	hostile_server_hang_up(&world.server);
	truth_put(truth, 4, 1);
	truth_compact(truth);
	await_truth(&world);
	assert_int_equal(kube_informer_stats(world.informer).bad_objects, 2);
	truth_delete(truth, 2);
	truth_put(truth, 2, 1); /* back to a reasonable size */
	await_truth(&world);
	assert_int_equal(kube_informer_stats(world.informer).lists, 2);
	close_world(&world);
}

/* With times so short that answers which do not come to their end are given up within a second. */
static void open_impatient_world(struct world *world)
{
	struct kube_informer_settings settings;

	start_loop(world);
	settings = quick_settings(world);
	settings.watch_least_seconds = 1;
	settings.watch_most_seconds = 1;
	settings.watch_margin = 200;
	settings.page_seconds = 1;
	open_world_with(world, &settings);
	await_truth(world);
}

static void gives_up_answers_that_stand_still(void **state)
{
	static const size_t places[] = {0, 20, 60, 120, 300};
	struct world world;

	(void)state;
	open_impatient_world(&world);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct hostile_fault fault = {
			.kind = FAULT_FREEZE, .place = PLACE_WATCH, .at = places[i]};

		meet(&world, fault);
		fault.place = PLACE_LIST;
		meet(&world, fault);
	}
	close_world(&world);
}

static void gives_up_answers_that_come_byte_by_byte(void **state)
{
	struct hostile_fault fault = {.kind = FAULT_DRIP, .place = PLACE_WATCH, .at = 60};
	struct world world;

	(void)state;
	open_impatient_world(&world);
	meet(&world, fault);
	fault.place = PLACE_LIST;
	meet(&world, fault);
	close_world(&world);
}

static void comes_back_with_the_server(void **state)
{
	struct world world;

	(void)state;
	open_world(&world);
	for (int i = 0; i < 5; i++) {
		hostile_server_go(&world.server);
		happen(&world, 10);
		run_for(&world, 50);
		assert_true(kube_informer_stats(world.informer).failures > 0);
		hostile_server_return(&world.server);
		await_truth(&world);
	}
	close_world(&world);
}

/* Whatever can happen, in any order. */
static void holds_through_all_of_it(void **state)
{
	static const enum hostile_fault_kind kinds[] = {
		FAULT_RESET,	FAULT_END,	 FAULT_STATUS,	FAULT_ERROR_EVENT,
		FAULT_TRUNCATE, FAULT_DUPLICATE, FAULT_REORDER,
	};
	struct world world;

	(void)state;
	open_world(&world);
	for (int i = 0; i < 400; i++) {
		struct hostile_fault fault = {
			.kind = kinds[next_random(&world) % 7],
			.place = next_random(&world) % 3,
			.at = next_random(&world) % 900,
			.status = next_random(&world) % 2 ? 410 : 500,
			.body = GONE,
		};

		meet(&world, fault);
	}
	close_world(&world);
}

/* Files: tokens and certificates. */

static void write_file(const char *path, const char *contents)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(contents, file);
	fclose(file);
}

static void make_directory(struct world *world)
{
	strcpy(world->directory, "/tmp/skep-test-hostile-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->token_file, sizeof(world->token_file), "%s/token", world->directory);
	snprintf(world->certificate_file, sizeof(world->certificate_file), "%s/ca.pem",
		 world->directory);
}

static void remove_directory(const struct world *world)
{
	unlink(world->token_file);
	unlink(world->certificate_file);
	assert_int_equal(rmdir(world->directory), 0);
}

/* Writes a token in place of another, so that nothing of the file but its contents changes. */
static void replace_token_unseen(const struct world *world, const char *token)
{
	struct timespec times[2];
	struct stat status;

	assert_int_equal(stat(world->token_file, &status), 0);
	write_file(world->token_file, token);
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, world->token_file, times, 0), 0);
}

static void reads_a_refused_token_again(void **state)
{
	struct kube_informer_settings settings;
	struct kube_config config = {0};
	struct world world;
	char server[64];

	(void)state;
	start_loop(&world);
	make_directory(&world);
	settings = quick_settings(&world);
	write_file(world.token_file, "first\n");
	world.server.token = "first";
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world.server.port);
	config.server = server;
	config.token_file = world.token_file;
	start_informer(&world, &config, &settings);
	await_truth(&world);
	assert_int_equal(world.server.refused, 0);
	world.server.token = "other";
	hostile_server_hang_up(&world.server);
	happen(&world, 5);
	await_failures(&world, 4);
	assert_in_range(world.server.refused, 1, UINT32_MAX);
	replace_token_unseen(&world, "other\n");
	await_truth(&world);
	close_world(&world);
	remove_directory(&world);
}

/* Over TLS, where the server's own certificate is the authority. */
static void open_tls_world(struct world *world, struct kube_config *config)
{
	struct kube_informer_settings settings;

	start_loop(world);
	make_directory(world);
	settings = quick_settings(world);
	write_certificate(world->certificate_file, 1);
	hostile_server_use_tls(&world->server, world->certificate_file);
	assert_true(asprintf(&config->server, "https://127.0.0.1:%d", world->server.port) > 0);
	config->ca_file = world->certificate_file;
	start_informer(world, config, &settings);
	await_truth(world);
}

static void close_tls_world(struct world *world, struct kube_config *config)
{
	close_world(world);
	remove_directory(world);
	free(config->server);
}

/* The server gets a certificate of another authority, and only later the client its CA file. */
static void trusts_a_new_authority_when_the_file_says_so(void **state)
{
	struct kube_config config = {0};
	struct world world;

	(void)state;
	open_tls_world(&world, &config);
	write_certificate(world.token_file, 2);
	hostile_server_use_tls(&world.server, world.token_file);
	hostile_server_hang_up(&world.server);
	happen(&world, 5);
	await_failures(&world, 4);
	assert_int_not_equal(count_wrong(&world), 0);
	assert_int_equal(rename(world.token_file, world.certificate_file), 0);
	await_truth(&world);
	close_tls_world(&world, &config);
}

/* The connection stays as it is, but whoever it belongs to is nobody any more. */
static void shows_a_new_certificate_when_refused(void **state)
{
	char client_file[] = "/tmp/skep-test-client-XXXXXX";
	struct kube_config config = {0};
	unsigned int connections;
	struct world world;

	(void)state;
	close(mkstemp(client_file));
	config.certificate_file = client_file;
	config.key_file = client_file;
	write_certificate(client_file, 5);
	open_tls_world(&world, &config);
	connections = world.server.connections_made;
	world.server.client_serial = 6;
	hostile_server_end_watches(&world.server);
	happen(&world, 5);
	await_failures(&world, 4);
	assert_int_equal(world.server.connections_made, connections);
	write_certificate(client_file, 6);
	await_truth(&world);
	assert_int_not_equal(world.server.connections_made, connections);
	unlink(client_file);
	close_tls_world(&world, &config);
}

static void loses_nothing_when_tls_is_cut(void **state)
{
	struct kube_config config = {0};
	struct world world;

	(void)state;
	open_tls_world(&world, &config);
	for (size_t at = 0; at < 300; at += 7)
		meet(&world, (struct hostile_fault){.kind = at % 2 ? FAULT_END : FAULT_RESET,
						    .place = at % 3,
						    .at = at});
	close_tls_world(&world, &config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_what_happens),
		cmocka_unit_test(loses_nothing_when_a_watch_is_reset_at_any_byte),
		cmocka_unit_test(loses_nothing_when_a_watch_ends_at_any_byte),
		cmocka_unit_test(loses_nothing_when_a_list_is_reset_at_any_byte),
		cmocka_unit_test(loses_nothing_when_a_list_ends_at_any_byte),
		cmocka_unit_test(lists_again_when_the_version_is_gone),
		cmocka_unit_test(begins_again_when_a_page_is_gone),
		cmocka_unit_test(finds_what_was_deleted_while_it_was_away),
		cmocka_unit_test(lists_again_after_a_truncated_line),
		cmocka_unit_test(bears_events_that_come_twice),
		cmocka_unit_test(bears_events_in_a_wrong_order),
		cmocka_unit_test(tries_again_after_refusals),
		cmocka_unit_test(takes_a_giant_for_absent),
		cmocka_unit_test(gives_up_answers_that_stand_still),
		cmocka_unit_test(gives_up_answers_that_come_byte_by_byte),
		cmocka_unit_test(comes_back_with_the_server),
		cmocka_unit_test(holds_through_all_of_it),
		cmocka_unit_test(reads_a_refused_token_again),
		cmocka_unit_test(trusts_a_new_authority_when_the_file_says_so),
		cmocka_unit_test(shows_a_new_certificate_when_refused),
		cmocka_unit_test(loses_nothing_when_tls_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
