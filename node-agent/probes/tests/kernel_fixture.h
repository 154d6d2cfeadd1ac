/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What the tests on the running kernel share: cgroups of their own, a probe that is open, its
 * events and its metrics as text. Included by each test, which is one program.
 */
#ifndef SKEP_NODE_AGENT_PROBES_TESTS_KERNEL_FIXTURE_H
#define SKEP_NODE_AGENT_PROBES_TESTS_KERNEL_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "lib/link/selection.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/series/store.h"

#define CGROUPS_LIMIT 32
#define EVENTS_LIMIT  20000
#define OWNERS_LIMIT  64

struct emitted {
	uint64_t target;
	uint64_t container;
	cJSON *event;
};

/* Who an attachment's counts are added to: the label target="<n>" tells them apart. */
struct fixture_owner {
	const struct probe_attachment *attachment;
	struct series_owner *series;
	char name[16];
};

struct fixture {
	const struct probe_kind *kind;
	char mount[64]; /* of cgroup v2 */
	char *cgroups[CGROUPS_LIMIT];
	size_t cgroup_count;
	uv_loop_t loop;
	struct probe_host host;
	struct probe *probe;
	struct selected_pod pod; /* of the next attachments */
	struct strings policies; /* that ask for the series of the next ones */
	struct series_store *store;
	struct fixture_owner
		owners[OWNERS_LIMIT]; /* of attachments, by the order in which they came */
	size_t owner_count;
	struct emitted *events;
	size_t event_count;
};

static void fixture_emit(void *context, enum probe_type type, uint64_t target, uint64_t container,
			 cJSON *event)
{
	struct fixture *fixture = context;

	assert_int_equal(type, fixture->kind->type);
	assert_true(fixture->event_count < EVENTS_LIMIT);
	fixture->events[fixture->event_count++] = (struct emitted){target, container, event};
}

/* An edge goes by its role, its address as 32 hexadecimal digits, and its port. */
static struct series_row *fixture_edge_row(void *context, struct series_owner *owner,
					   const struct series_layout *layout,
					   const struct edge *edge)
{
	char address[2 * EDGE_ADDRESS_SIZE + 1], port[8];
	struct metric_label labels[3 + EDGE_LABELS_LIMIT] = {
		{"role", edge->role == EDGE_CLIENT ? "client" : "server"},
		{"peer_name", address},
		{"server_port", port},
	};

	(void)context;
	for (size_t i = 0; i < edge->label_count; i++)
		labels[3 + i] = edge->labels[i];
	for (int i = 0; i < EDGE_ADDRESS_SIZE; i++)
		snprintf(&address[2 * i], 3, "%02x", edge->address[i]);
	snprintf(port, sizeof(port), "%u", edge->port);
	return series_row(owner, layout, labels, 3 + edge->label_count);
}

/* Everybody is known. */
static bool fixture_find_peer(void *context, struct series_owner *owner,
			      const uint8_t address[EDGE_ADDRESS_SIZE],
			      struct peer_identity *ret_peer)
{
	(void)context, (void)owner, (void)address;
	*ret_peer = (struct peer_identity){"Pod", "shop", "peer", false};
	return true;
}

static void fixture_learn_name(void *context, struct series_owner *owner,
			       const uint8_t address[EDGE_ADDRESS_SIZE], const char *name,
			       uint32_t ttl_s)
{
	(void)context, (void)owner, (void)address, (void)name, (void)ttl_s;
}

/* Makes a cgroup below the mount; parents first. Returns its path, which the fixture owns. */
static const char *fixture_cgroup(struct fixture *fixture, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/skep-test-%d%s", fixture->mount, getpid(), name);
	assert_return_code(mkdir(path, 0755), errno);
	assert_true(fixture->cgroup_count < CGROUPS_LIMIT);
	return fixture->cgroups[fixture->cgroup_count++] = strdup(path);
}

static struct fixture_owner *fixture_add_owner(struct fixture *fixture)
{
	struct fixture_owner *owner = &fixture->owners[fixture->owner_count];
	const struct metric_label label = {"target", owner->name};

	assert_true(fixture->owner_count < OWNERS_LIMIT);
	snprintf(owner->name, sizeof(owner->name), "%zu", fixture->owner_count++);
	owner->series = series_owner_new(fixture->store, &label, 1, &fixture->policies);
	return owner;
}

/* A target with an owner of its own. */
static struct probe_target fixture_target(struct fixture *fixture, const char *path)
{
	struct probe_target target = {
		.path = path, .pod = &fixture->pod, .series = fixture_add_owner(fixture)->series};
	struct stat status;

	assert_return_code(stat(path, &status), errno);
	target.cgroup_id = status.st_ino;
	for (const char *c = path + strlen(fixture->mount); *c; c++)
		target.cgroup_level += *c == '/';
	return target;
}

static void enter_cgroup(const char *path)
{
	char procs[PATH_MAX];
	FILE *file;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	file = fopen(procs, "we");
	if (!file || fprintf(file, "0\n") < 0 || fclose(file) != 0)
		fail_msg("enter %s: %s", path, strerror(errno));
}

static void leave_cgroups(struct fixture *fixture)
{
	enter_cgroup(fixture->mount);
}

static int fixture_setup(void **state, const struct probe_kind *kind)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct error error = {0};

	*state = fixture;
	fixture->kind = kind;
	fixture->pod.namespace = "test";
	strcpy(fixture->mount, access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
				       ? "/sys/fs/cgroup"
				       : "/sys/fs/cgroup/unified");
	fixture->events = calloc(EVENTS_LIMIT, sizeof(*fixture->events));
	uv_loop_init(&fixture->loop);
	fixture->store = series_store_new();
	fixture->host = (struct probe_host){.loop = &fixture->loop,
					    .emit = fixture_emit,
					    .edge_row = fixture_edge_row,
					    .find_peer = fixture_find_peer,
					    .learn_name = fixture_learn_name,
					    .context = fixture};
	fixture_cgroup(fixture, "");
	if (kind->open(&fixture->host, &fixture->probe, &error) < 0) {
		print_error("%s\n", error.message);
		return -1;
	}
	return 0;
}

static void forget_events(struct fixture *fixture)
{
	while (fixture->event_count > 0)
		cJSON_Delete(fixture->events[--fixture->event_count].event);
}

static int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	leave_cgroups(fixture);
	fixture->kind->close(fixture->probe);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	while (fixture->cgroup_count > 0) {
		char *path = fixture->cgroups[--fixture->cgroup_count];

		if (rmdir(path) < 0 && errno != ENOENT)
			print_error("%s stays: %s\n", path, strerror(errno));
		free(path);
	}
	while (fixture->owner_count > 0)
		series_owner_free(fixture->owners[--fixture->owner_count].series, 0);
	series_store_free(fixture->store);
	forget_events(fixture);
	free(fixture->events);
	free(fixture);
	return 0;
}

static struct probe_attachment *fixture_attach(struct fixture *fixture, const char *path,
					       const union probe_settings *settings)
{
	struct probe_target target = fixture_target(fixture, path);
	struct fixture_owner *owner = &fixture->owners[fixture->owner_count - 1];
	struct probe_attachment *attachment = NULL;
	struct error error = {0};
	int result = fixture->kind->attach(fixture->probe, &target, settings, &attachment, &error);

	if (result < 0)
		fail_msg("attach to %s: %s", path, error.message);
	owner->attachment = attachment;
	return attachment;
}

static void fixture_detach(struct fixture *fixture, struct probe_attachment *attachment)
{
	assert_null(fixture->kind->detach(fixture->probe, attachment));
}

/* The name in the label "target" of the attachment's series; the last one's with this pointer. */
static const char *fixture_name(const struct fixture *fixture,
				const struct probe_attachment *attachment)
{
	for (size_t i = fixture->owner_count; i > 0; i--)
		if (fixture->owners[i - 1].attachment == attachment)
			return fixture->owners[i - 1].name;
	fail_msg("no such attachment");
	return NULL;
}

/*
 * The value of a target's sample after a read, by the name of its family and further labels ('' or
 * ',a="b"').
 */
static __attribute__((unused)) double fixture_value(struct fixture *fixture,
						    struct probe_attachment *attachment,
						    const char *name, const char *labels)
{
	char sample[256];
	struct text text = TEXT_EMPTY;
	const char *found;
	double value;

	fixture->kind->read(fixture->probe);
	series_write(fixture->store, &text);
	assert_false(text.failed);
	snprintf(sample, sizeof(sample), "\n%s{target=\"%s\"%s} ", name,
		 fixture_name(fixture, attachment), labels);
	found = strstr(text.data, sample);
	if (!found)
		fail_msg("no sample%s in:\n%s", sample, text.data);
	value = strtod(found + strlen(sample), NULL);
	text_free(&text);
	return value;
}

/* The sum of a family over all samples of a target after a read: over its edges, as a rule. */
static __attribute__((unused)) double fixture_sum(struct fixture *fixture,
						  const struct probe_attachment *attachment,
						  const char *name)
{
	struct text text = TEXT_EMPTY;
	char start[256];
	double sum = 0;

	fixture->kind->read(fixture->probe);
	series_write(fixture->store, &text);
	snprintf(start, sizeof(start), "\n%s{target=\"%s\"", name,
		 fixture_name(fixture, attachment));
	for (const char *found = text.data; found && (found = strstr(found, start)); found++)
		sum += strtod(strstr(found, "} ") + 2, NULL);
	text_free(&text);
	return sum;
}

static bool may_use_bpf(void)
{
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

	if (map >= 0)
		close(map);
	return map >= 0 || errno != EPERM;
}

/* Says why nothing can be tested here, NULL when all is well. */
static const char *fixture_missing(void)
{
	if (geteuid() != 0)
		return "needs root";
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) != 0 &&
	    access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) != 0)
		return "needs cgroup v2 at /sys/fs/cgroup or /sys/fs/cgroup/unified";
	if (!may_use_bpf())
		return "needs the right to use BPF (CAP_BPF or CAP_SYS_ADMIN)";
	return NULL;
}

static void fixture_skip(void **state)
{
	(void)state;
	skip();
}

/* Where nothing can be tested, makes each test one that is skipped and says why; true then. */
static bool fixture_skip_all(struct CMUnitTest *tests, size_t count)
{
	const char *missing = fixture_missing();

	if (!missing)
		return false;
	printf("skipped: %s\n", missing);
	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){.name = tests[i].name, .test_func = fixture_skip};
	return true;
}

/* Runs an array of tests between a setup and a teardown of them all. Returns how many failed. */
#define fixture_run(tests, setup, teardown)                                                        \
	(fixture_skip_all(tests, sizeof(tests) / sizeof((tests)[0]))                               \
		 ? cmocka_run_group_tests(tests, NULL, NULL)                                       \
		 : cmocka_run_group_tests(tests, setup, teardown))

#endif
