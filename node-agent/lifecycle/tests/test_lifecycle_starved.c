// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Attaching without memory: what could not be attached is said to have failed and is tried again;
 * what is attached is known, and goes.
 */

#include "lib/base/tests/starve.h"

#include <errno.h>
#include <sys/stat.h>

#include "lib/link/selection.h"
#include "node-agent/lifecycle/slot.h"
#include "node-agent/pods/folders.h"

struct probe {
	unsigned int attached;
};

struct probe_attachment {
	struct probe *probe;
};

static struct probe the_probe;

static int open_probe(const struct probe_host *host, struct probe **ret_probe, struct error *error)
{
	(void)host, (void)error;
	*ret_probe = &the_probe;
	return 0;
}

static struct probe *close_probe(struct probe *probe)
{
	assert_int_equal(probe->attached, 0);
	return NULL;
}

static int attach(struct probe *probe, const struct probe_target *target,
		  const union probe_settings *settings, struct probe_attachment **ret_attachment,
		  struct error *error)
{
	struct probe_attachment *attachment = calloc(1, sizeof(*attachment));

	(void)target, (void)settings;
	if (!attachment)
		return error_set(error, ENOMEM, "no memory");
	attachment->probe = probe;
	probe->attached++;
	*ret_attachment = attachment;
	return 0;
}

static struct probe_attachment *detach(struct probe *probe, struct probe_attachment *attachment)
{
	probe->attached--;
	free(attachment);
	return NULL;
}

static const struct probe_kind kind = {
	.type = PROBE_TCP,
	.open = open_probe,
	.close = close_probe,
	.attach = attach,
	.detach = detach,
};

static char *policy_names[] = {"shop/p"};
static char *container_names[] = {"web"};
static struct selected_container containers[] = {{.name = (char *)"web", .id = (char *)"i1"}};
static const struct selected_pod pod = {
	.uid = (char *)"a1",
	.namespace = (char *)"shop",
	.name = (char *)"web-1",
	.workload_kind = (char *)"Deployment",
	.workload_name = (char *)"web",
	.containers = containers,
	.container_count = 1,
	.probes = {[PROBE_TCP] = {.wanted = true,
				  .policies = {policy_names, 1},
				  .containers = {container_names, 1}}},
};

/* The folders of a pod and its container; one that is not noted is looked for again. */
static bool note_folders(void *context)
{
	struct pod_folders folders = {0};
	struct pod_folder *folder = pod_folders_add(&folders, "a1", "/pod", 7, 3);
	bool done = folder && pod_folder_add_container(folder, "i1", "/pod/i1", 8) == 1;

	(void)context;
	starve_pause();
	assert_true(!folder || pod_folders_find(&folders, "a1") == folder);
	assert_true(!done || pod_folder_container(folder, "i1"));
	pod_folders_clear(&folders);
	return done;
}

struct scene {
	struct series_store *store;
	struct pod_folders folders;
	struct pod_folder *folder;
};

/* A failure is told, its words too where there is memory for them. */
static bool sync_slot(void *context)
{
	struct scene *scene = context;
	struct running_probe running = {
		.kind = &kind, .store = scene->store, .level = SERIES_OF_PODS};
	struct probe_slot slot = {.type = PROBE_TCP};
	bool done;

	slot_sync(&slot, &running, &pod, scene->folder, 0);
	done = slot.state == PROBE_ATTACHED;
	starve_pause();
	assert_int_equal(the_probe.attached, done);
	assert_true(done || (slot.state == PROBE_FAILED && *slot.reason && slot.retry.at));
	slot_sync(&slot, &running, &pod, scene->folder, RETRY_LIMIT_MS);
	assert_int_equal(slot.state, PROBE_ATTACHED);
	slot_sync(&slot, &running, NULL, scene->folder, RETRY_LIMIT_MS);
	assert_int_equal(the_probe.attached, 0);
	assert_null(running.attachments);
	running_probe_settle(&running);
	slot_free(&slot);
	return done;
}

static void survives_without_memory(void **state)
{
	struct scene scene = {.store = series_store_new()};
	struct stat status;

	(void)state;
	assert_int_equal(stat("/tmp", &status), 0);
	scene.folder = pod_folders_add(&scene.folders, "a1", "/tmp", 7, 3);
	assert_int_equal(pod_folder_add_container(scene.folder, "i1", "/tmp", status.st_ino), 1);
	assert_true(starve(note_folders, NULL) > 4);
	assert_true(starve(sync_slot, &scene) > 8);
	pod_folders_clear(&scene.folders);
	series_store_free(scene.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
