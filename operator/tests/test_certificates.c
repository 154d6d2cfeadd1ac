// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Certificates at the API server, which answers by a script, and certificates in files. */
#include "operator/tests/fixture.h"

#include <unistd.h>

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/tests/fake_server.h"
#include "operator/certificate_files.h"
#include "operator/certificates.h"

#define SECRETS "/api/v1/namespaces/here/secrets"
#define MAP	"PATCH /api/v1/namespaces/here/configmaps/skep-operator-ca"
#define KEPT	"{\"metadata\":{\"resourceVersion\":\"7\"}}"

struct world {
	uv_loop_t loop;
	uv_timer_t patience;
	bool late;
	struct fake_server server;
	struct kube_client *client;
	struct certificates *certificates;
	struct certificate_files *files;
	struct pki_bundle bundle;
	char folder[64], certificate_file[96], key_file[96], ca_file[96];
	unsigned int ready;
	char *served;
};

static void on_ready(void *context, const struct pki_bundle *bundle)
{
	struct world *world = context;

	world->ready++;
	free(world->served);
	world->served = strdup(bundle->certificate);
}

static void on_patience(uv_timer_t *timer)
{
	((struct world *)timer->data)->late = true;
}

#define run_until(world, condition)                                                                \
	do {                                                                                       \
		uv_timer_start(&(world)->patience, on_patience, 40000, 0);                         \
		while (!(condition) && !(world)->late)                                             \
			uv_run(&(world)->loop, UV_RUN_ONCE);                                       \
		uv_timer_stop(&(world)->patience);                                                 \
		assert_true(condition);                                                            \
	} while (0)

static void world_open(struct world *world, const struct fake_step *steps)
{
	struct kube_config config = {.token = (char *)"secret"};
	char server[64];

	log_set_level(LOG_LEVEL_ERROR);
	memset(world, 0, sizeof(*world));
	uv_loop_init(&world->loop);
	uv_timer_init(&world->loop, &world->patience);
	world->patience.data = world;
	fake_server_start(&world->server, &world->loop, steps);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world->server.port);
	config.server = server;
	assert_int_equal(kube_client_new(&world->loop, &config, &world->client, NULL), 0);
}

static void world_close(struct world *world)
{
	world->client = kube_client_free(world->client);
	world->certificates = certificates_free(world->certificates);
	world->files = certificate_files_free(world->files);
	assert_false(world->server.is_wrong);
	fake_server_stop(&world->server);
	uv_close((uv_handle_t *)&world->patience, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	pki_bundle_free(&world->bundle);
	free(world->served);
}

static void start(struct world *world)
{
	assert_int_equal(certificates_new(world->client, &world->loop, "here", &pki_lives, on_ready,
					  world, &world->certificates, NULL),
			 0);
}

static void makes_keeps_and_publishes(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET " SECRETS "/skep-operator-tls", .status = 404, .body = "{}"},
		{.expect = "POST " SECRETS, .status = 201, .body = KEPT},
		{.expect = MAP, .status = 200, .body = "{}"},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps);
	start(&world);
	run_until(&world, world.ready == 1);
	assert_int_equal(world.server.requests, 3);
	assert_non_null(strstr(world.server.last_request.data, "BEGIN CERTIFICATE"));
	assert_null(strstr(world.server.last_request.data, "PRIVATE KEY"));
	world_close(&world);
}

/* Of two that make certificates at one time, one finds those of the other; here they are no good.
 */
static void yields_to_who_is_faster(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 404, .body = "{}"},
		{.expect = "POST", .status = 409, .body = "{}"},
		{.expect = "GET", .status = 200, .body = KEPT},
		{.expect = "PATCH " SECRETS "/skep-operator-tls", .status = 200, .body = KEPT},
		{.expect = MAP, .status = 200, .body = "{}"},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps);
	start(&world);
	run_until(&world, world.server.requests == 4);
	assert_non_null(strstr(world.server.last_request.data, "\"resourceVersion\":\"7\""));
	run_until(&world, world.ready == 1);
	world_close(&world);
}

/* Nobody may be served with what nobody could know. */
static void serves_not_before_it_is_published(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 404, .body = "{}"},
		{.expect = "POST", .status = 201, .body = KEPT},
		{.expect = MAP, .status = 403, .body = "{}"},
		{.expect = "GET", .status = 404, .body = "{}"},
		{.expect = "POST", .status = 201, .body = KEPT},
		{.expect = MAP, .status = 200, .body = "{}"},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps);
	start(&world);
	run_until(&world, world.server.requests == 4);
	assert_int_equal(world.ready, 0);
	run_until(&world, world.ready == 1);
	world_close(&world);
}

/* Files. */

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void renew_bundle(struct world *world)
{
	static const char *const names[] = {"skep-operator.here.svc"};

	pki_bundle_free(&world->bundle);
	assert_int_equal(pki_bundle_make(names, 1, time(NULL), &world->bundle, NULL), 0);
}

static void start_files(struct world *world)
{
	struct certificate_paths paths;

	snprintf(world->folder, sizeof(world->folder), "/tmp/test-certificates-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	snprintf(world->certificate_file, sizeof(world->certificate_file), "%s/tls.crt",
		 world->folder);
	snprintf(world->key_file, sizeof(world->key_file), "%s/tls.key", world->folder);
	snprintf(world->ca_file, sizeof(world->ca_file), "%s/ca.crt", world->folder);
	renew_bundle(world);
	write_file(world->certificate_file, world->bundle.certificate);
	write_file(world->key_file, world->bundle.key);
	write_file(world->ca_file, world->bundle.ca_certificate);
	paths = (struct certificate_paths){
		.certificate = world->certificate_file,
		.key = world->key_file,
		.ca = world->ca_file,
	};
	assert_int_equal(certificate_files_new(world->client, &world->loop, "here", &paths,
					       on_ready, world, &world->files, NULL),
			 0);
}

static void end_files(struct world *world)
{
	unlink(world->certificate_file);
	unlink(world->key_file);
	unlink(world->ca_file);
	assert_int_equal(rmdir(world->folder), 0);
}

static void on_look(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Half of the files are new: nothing changes until the others are. */
static void serves_with_files_that_fit_together(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = MAP, .status = 200, .body = "{}"},
		{.expect = MAP, .status = 200, .body = "{}"},
		{0},
	};
	struct world world;
	uv_timer_t look;
	bool looked = false;
	char *first;

	(void)state;
	world_open(&world, steps);
	start_files(&world);
	run_until(&world, world.ready == 1);
	assert_string_equal(world.served, world.bundle.certificate);
	first = strdup(world.served);
	renew_bundle(&world);
	write_file(world.certificate_file, world.bundle.certificate);
	uv_timer_init(&world.loop, &look);
	look.data = &looked;
	uv_timer_start(&look, on_look, CERTIFICATE_FILES_LOOK_MS + 500, 0);
	run_until(&world, looked);
	uv_close((uv_handle_t *)&look, NULL);
	assert_int_equal(world.ready, 1);
	assert_string_equal(world.served, first);
	write_file(world.key_file, world.bundle.key);
	write_file(world.ca_file, world.bundle.ca_certificate);
	run_until(&world, world.ready == 2);
	assert_string_equal(world.served, world.bundle.certificate);
	assert_int_equal(world.server.requests, 2);
	free(first);
	end_files(&world);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_keeps_and_publishes),
		cmocka_unit_test(yields_to_who_is_faster),
		cmocka_unit_test(serves_not_before_it_is_published),
		cmocka_unit_test(serves_with_files_that_fit_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
