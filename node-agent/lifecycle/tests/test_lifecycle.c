// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The lifecycle with probes that only keep books. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "lib/base/text.h"
#include "lib/link/selection.h"
#include "node-agent/lifecycle/lifecycle.h"
#include "node-agent/lifecycle/running.h"

#define ID_1 "1111111111111111111111111111111111111111111111111111111111111111"

/* The books of the probe, and what it shall do. One test runs at a time. */
static struct books {
	struct text log;
	int open_result, attach_result, configure_result;
	int open, attached;
	const struct probe_host *host;
	struct series_owner *series; /* of the last target */
	uint64_t last_cgroup;
	unsigned int last_level;
} books;

struct probe {
	int unused;
};

struct probe_attachment {
	uint64_t cgroup_id;
};

static int fake_open(const struct probe_host *host, struct probe **ret_probe, struct error *error)
{
	books.host = host;
	text_append_string(&books.log, "open ");
	if (books.open_result < 0)
		return error_set(error, -books.open_result, "not on this kernel");
	books.open++;
	*ret_probe = calloc(1, sizeof(**ret_probe));
	return 0;
}

static struct probe *fake_close(struct probe *probe)
{
	text_append_string(&books.log, "close ");
	assert_int_equal(books.attached, 0);
	books.open--;
	free(probe);
	return NULL;
}

static int fake_attach(struct probe *probe, const struct probe_target *target,
		       const union probe_settings *settings,
		       struct probe_attachment **ret_attachment, struct error *error)
{
	(void)settings;
	assert_non_null(probe);
	text_append_format(&books.log, "+%s ", target->container ? target->container : "pod");
	if (books.attach_result < 0)
		return error_set(error, -books.attach_result, "the kernel refused");
	books.attached++;
	books.series = target->series;
	books.last_cgroup = target->cgroup_id;
	books.last_level = target->cgroup_level;
	*ret_attachment = calloc(1, sizeof(**ret_attachment));
	(*ret_attachment)->cgroup_id = target->cgroup_id;
	return 0;
}

static int fake_configure(struct probe *probe, struct probe_attachment *attachment,
			  const union probe_settings *settings, struct error *error)
{
	(void)probe;
	(void)attachment;
	(void)settings;
	text_append_string(&books.log, "configure ");
	return books.configure_result < 0 ? error_set(error, -books.configure_result, "no tracefs")
					  : 0;
}

/* As it detaches, a probe tells what it has not told yet. */
static struct probe_attachment *fake_detach(struct probe *probe,
					    struct probe_attachment *attachment)
{
	(void)probe;
	text_append_string(&books.log, "- ");
	books.host->emit(books.host->context, PROBE_EXEC, attachment->cgroup_id, 11,
			 cJSON_CreateObject());
	books.attached--;
	free(attachment);
	return NULL;
}

static const struct series_family fake_family = {
	.name = "fake_total", .help = "F.", .type = METRIC_COUNTER};
static const struct series_layout fake_layout = {&fake_family, 1};

static void fake_read(struct probe *probe)
{
	(void)probe;
	series_add(series_row(books.series, &fake_layout, NULL, 0), 0, 1);
}

static const struct probe_kind fake_kind = {
	.type = PROBE_EXEC,
	.open = fake_open,
	.close = fake_close,
	.attach = fake_attach,
	.configure = fake_configure,
	.detach = fake_detach,
	.read = fake_read,
};
static const struct probe_kind *const fake_kinds[PROBE_TYPES] = {
	[PROBE_TCP] = &fake_kind, /* not wanted by any test */
	[PROBE_EXEC] = &fake_kind,
	[PROBE_DNS] = &fake_kind,  /* nor this one */
	[PROBE_HTTP] = &fake_kind, /* nor this one */
};

struct fixture {
	uv_loop_t loop;
	struct lifecycle *lifecycle;
	struct selected_pod pod;
	bool selected;
	struct pod_folders folders;
	unsigned int changes;
	struct text events; /* the container of each event */
	struct series_store *store;
	struct text learnt; /* the pod and the name of each name */
};

static const struct selected_pod *on_find_pod(void *context, const char *uid)
{
	struct fixture *fixture = context;

	return fixture->selected && strcmp(uid, "a1") == 0 ? &fixture->pod : NULL;
}

static const struct pod_folder *on_find_folder(void *context, const char *uid)
{
	struct fixture *fixture = context;

	return pod_folders_find(&fixture->folders, uid);
}

static void on_event(void *context, enum probe_type type, const struct event_source *source,
		     cJSON *event)
{
	struct fixture *fixture = context;

	assert_int_equal(type, PROBE_EXEC);
	assert_non_null(source->pod);
	text_append_format(&fixture->events, "%s/%s ", source->pod->name,
			   source->container ? source->container : "-");
	cJSON_Delete(event);
}

static void on_change(void *context)
{
	((struct fixture *)context)->changes++;
}

static struct series_row *on_edge_row(void *context, const struct edge_source *source,
				      const struct series_layout *layout, const struct edge *edge)
{
	const struct metric_label label = {"pod", source->pod->name};

	(void)context;
	assert_int_equal(edge->port, 80);
	return series_row(source->series, layout, &label, 1);
}

static bool on_find_peer(void *context, const struct selected_pod *pod,
			 const uint8_t address[EDGE_ADDRESS_SIZE], struct peer_identity *ret_peer)
{
	(void)context, (void)address;
	*ret_peer = (struct peer_identity){"Pod", pod->namespace, pod->name, false};
	return true;
}

static void on_learn_name(void *context, const struct selected_pod *pod,
			  const uint8_t address[EDGE_ADDRESS_SIZE], const char *name,
			  uint32_t ttl_s)
{
	struct fixture *fixture = context;

	text_append_format(&fixture->learnt, "%s: %s %d %u;", pod->name, name, address[0], ttl_s);
}

static char *container_names[] = {"web"};
static struct selected_container containers[] = {{"web", ID_1}};

static int set_up(void **state)
{
	static const struct lifecycle_handlers handlers = {
		.find_pod = on_find_pod,
		.find_folder = on_find_folder,
		.emit = on_event,
		.edge_row = on_edge_row,
		.find_peer = on_find_peer,
		.learn_name = on_learn_name,
		.changed = on_change,
	};
	struct lifecycle_settings settings = {.kinds = fake_kinds, .store = series_store_new()};
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	text_free(&books.log);
	books = (struct books){0};
	uv_loop_init(&fixture->loop);
	fixture->store = settings.store;
	fixture->selected = true;
	fixture->pod = (struct selected_pod){
		.uid = "a1",
		.namespace = "n",
		.name = "x",
		.workload_kind = "Pod",
		.workload_name = "x",
		.containers = containers,
		.container_count = 1,
		.probes[PROBE_EXEC] = {.wanted = true},
	};
	assert_int_equal(lifecycle_new(&fixture->loop, &settings, &handlers, fixture,
				       &fixture->lifecycle, NULL),
			 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	lifecycle_free(fixture->lifecycle);
	assert_int_equal(books.open, 0);
	assert_int_equal(books.attached, 0);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	pod_folders_clear(&fixture->folders);
	series_store_free(fixture->store);
	text_free(&fixture->events);
	text_free(&fixture->learnt);
	text_free(&books.log);
	free(fixture);
	return 0;
}

/* Any folder that exists will do: the books' probe does not look at it. */
static void make_folder(struct fixture *fixture)
{
	struct stat status;

	assert_int_equal(stat("/tmp", &status), 0);
	assert_non_null(pod_folders_add(&fixture->folders, "a1", "/tmp", status.st_ino, 3));
}

static void sync_pod(struct fixture *fixture)
{
	lifecycle_sync(fixture->lifecycle, "a1");
	lifecycle_settle(fixture->lifecycle);
}

static void check_log(const char *expected)
{
	assert_string_equal(books.log.data ? books.log.data : "", expected);
	text_clear(&books.log);
}

/* Checks the one exception that is reported, or that there is none (NULL). */
static void check_report(const struct fixture *fixture, enum probe_state state, const char *reason,
			 const char *message)
{
	struct report report = {0};

	assert_int_equal(lifecycle_report(fixture->lifecycle, &report), 0);
	assert_int_equal(report.exception_count, reason ? 1 : 0);
	if (reason) {
		assert_int_equal(report.exceptions[0].state, state);
		assert_string_equal(report.exceptions[0].pod_uid, "a1");
		assert_string_equal(report.exceptions[0].reason, reason);
		assert_non_null(strstr(report.exceptions[0].message, message));
	}
	report_free(&report);
}

static void test_comes_and_goes(void **state)
{
	struct fixture *fixture = *state;
	struct text metrics = TEXT_EMPTY;

	sync_pod(fixture);
	check_log(""); /* nothing is loaded for a pod that is not there */
	check_report(fixture, PROBE_WAITING, "PodNotStarted", "");
	make_folder(fixture);
	sync_pod(fixture);
	check_log("open +pod ");
	assert_int_equal(books.last_level, 3);
	check_report(fixture, PROBE_ATTACHED, NULL, NULL);
	assert_int_equal(fixture->changes, 2);
	sync_pod(fixture);
	check_log("");
	assert_int_equal(fixture->changes, 2);
	lifecycle_read(fixture->lifecycle);
	series_write(fixture->store, &metrics);
	assert_string_equal(metrics.data,
			    "# HELP fake_total F.\n# TYPE fake_total counter\n"
			    "fake_total{k8s_namespace_name=\"n\",k8s_pod_name=\"x\"} 1\n");
	text_free(&metrics);
	assert_int_equal(lifecycle_count(fixture->lifecycle).pods[PROBE_ATTACHED], 1);
	assert_int_equal(lifecycle_count(fixture->lifecycle).programs_loaded, 1);

	fixture->pod.probes[PROBE_EXEC].settings.exec.failures = true;
	sync_pod(fixture);
	check_log("configure ");

	fixture->selected = false;
	sync_pod(fixture);
	check_log("- close ");
	check_report(fixture, PROBE_ATTACHED, NULL, NULL);
	assert_int_equal(lifecycle_count(fixture->lifecycle).pods[PROBE_ATTACHED], 0);
	assert_string_equal(fixture->events.data,
			    "x/- "); /* what it told last is still the pod's */
}

static void test_edges_and_names_are_of_the_pod(void **state)
{
	static const struct edge edge = {.role = EDGE_CLIENT, .address = {10}, .port = 80};
	struct fixture *fixture = *state;
	struct text metrics = TEXT_EMPTY;
	struct peer_identity peer;

	make_folder(fixture);
	sync_pod(fixture);
	series_add(books.host->edge_row(books.host->context, books.series, &fake_layout, &edge), 0,
		   1);
	books.host->learn_name(books.host->context, books.series, edge.address, "a.example", 60);
	assert_string_equal(fixture->learnt.data, "x: a.example 10 60;");
	assert_true(books.host->find_peer(books.host->context, books.series, edge.address, &peer));
	assert_string_equal(peer.name, "x");
	series_write(fixture->store, &metrics);
	assert_non_null(strstr(metrics.data, "k8s_pod_name=\"x\",pod=\"x\"} 1\n"));
	text_free(&metrics);
}

/* What lasts of a pod that has gone lasts a minute. */
static void test_series_outlive_the_pod(void **state)
{
	struct fixture *fixture = *state;
	struct text metrics = TEXT_EMPTY;
	uint64_t now;

	make_folder(fixture);
	sync_pod(fixture);
	lifecycle_read(fixture->lifecycle);
	fixture->selected = false;
	now = uv_now(&fixture->loop);
	sync_pod(fixture);
	series_expire(fixture->store, now + SERIES_LINGER_MS - 1);
	series_write(fixture->store, &metrics);
	assert_non_null(strstr(metrics.data, "k8s_pod_name=\"x\"} 1\n"));
	text_clear(&metrics);
	series_expire(fixture->store, now + SERIES_LINGER_MS);
	series_write(fixture->store, &metrics);
	assert_string_equal(metrics.data, "");
	text_free(&metrics);
}

static void test_scope_changes(void **state)
{
	struct fixture *fixture = *state;
	struct selected_probe *probe = &fixture->pod.probes[PROBE_EXEC];

	make_folder(fixture);
	pod_folder_add_container(pod_folders_find(&fixture->folders, "a1"), ID_1, "/tmp/x", 11);
	sync_pod(fixture);
	check_log("open +pod ");
	probe->containers = (struct strings){container_names, 1};
	sync_pod(fixture);
	check_log("+web - ");
	assert_int_equal(books.last_cgroup, 11);
	assert_int_equal(books.last_level, 4);
	assert_string_equal(fixture->events.data, "x/web ");
	probe->containers = (struct strings){0};
	sync_pod(fixture);
	check_log("+pod - ");
}

static void test_kernel_lacks_it(void **state)
{
	struct fixture *fixture = *state;

	books.open_result = -EOPNOTSUPP;
	make_folder(fixture);
	sync_pod(fixture);
	check_log("open ");
	check_report(fixture, PROBE_UNSUPPORTED, "Unsupported", "not on this kernel");
	assert_int_equal(fixture->changes, 1);
	/* Not tried again with every pod, nor told again. */
	sync_pod(fixture);
	check_log("");
	assert_int_equal(fixture->changes, 1);
}

static void test_failure_is_tried_again(void **state)
{
	struct fixture *fixture = *state;
	uint64_t failed;

	books.attach_result = -EPERM;
	make_folder(fixture);
	sync_pod(fixture);
	check_report(fixture, PROBE_FAILED, "AttachFailed", "the kernel refused");
	check_log("open +pod close "); /* not kept loaded for nothing */

	books.attach_result = 0;
	failed = uv_hrtime();
	while (books.attached == 0)
		uv_run(&fixture->loop, UV_RUN_ONCE);
	assert_true(uv_hrtime() - failed > (RETRY_FIRST_MS - 50) * 1000000ULL);
	check_report(fixture, PROBE_ATTACHED, NULL, NULL);
}

static void test_vanished_is_no_failure(void **state)
{
	struct fixture *fixture = *state;

	books.attach_result = -ENOENT;
	pod_folders_add(&fixture->folders, "a1", "/tmp/there-is-no-such-folder", 7, 3);
	sync_pod(fixture);
	check_report(fixture, PROBE_WAITING, "PodNotStarted", "");
}

static void test_refused_settings(void **state)
{
	struct fixture *fixture = *state;

	make_folder(fixture);
	sync_pod(fixture);
	books.configure_result = -EOPNOTSUPP;
	fixture->pod.probes[PROBE_EXEC].settings.exec.failures = true;
	sync_pod(fixture);
	check_report(fixture, PROBE_UNSUPPORTED, "Unsupported", "no tracefs");
	assert_int_equal(books.attached, 1);
	fixture->pod.probes[PROBE_EXEC].settings.exec.failures = false;
	sync_pod(fixture);
	check_report(fixture, PROBE_ATTACHED, NULL, NULL);
}

static void test_pauses(void **state)
{
	struct retry retry = {0};

	(void)state;
	retry_failed(&retry, 100);
	assert_int_equal(retry.at, 100 + RETRY_FIRST_MS);
	retry_failed(&retry, 5000);
	assert_int_equal(retry.at, 5000 + 2 * RETRY_FIRST_MS);
	for (int i = 0; i < 100; i++)
		retry_failed(&retry, 0);
	assert_int_equal(retry.at, RETRY_LIMIT_MS);
}

int main(void)
{
#define lifecycle_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		lifecycle_test(test_comes_and_goes),
		lifecycle_test(test_edges_and_names_are_of_the_pod),
		lifecycle_test(test_series_outlive_the_pod),
		lifecycle_test(test_scope_changes),
		lifecycle_test(test_kernel_lacks_it),
		lifecycle_test(test_failure_is_tried_again),
		lifecycle_test(test_vanished_is_no_failure),
		lifecycle_test(test_refused_settings),
		cmocka_unit_test(test_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
