// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/lifecycle/running.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"

void retry_failed(struct retry *retry, uint64_t now)
{
	retry->pause = retry->pause ? 2 * retry->pause : RETRY_FIRST_MS;
	if (retry->pause > RETRY_LIMIT_MS)
		retry->pause = RETRY_LIMIT_MS;
	retry->at = now + retry->pause;
}

static int try_open(struct running_probe *running, uint64_t now)
{
	const struct probe_kind *kind = running->kind;

	running->open_error.message[0] = '\0';
	running->open_result = kind->open(running->host, &running->probe, &running->open_error);
	if (running->open_result == 0) {
		running->retry = (struct retry){0};
		log_info("probe %s: programs loaded", probe_type_name(kind->type));
		return 0;
	}
	running->probe = NULL;
	retry_failed(&running->retry, now);
	return running->open_result;
}

int running_probe_open(struct running_probe *running, uint64_t now, struct error *error)
{
	if (running->probe)
		return 0;
	if (now >= running->retry.at && try_open(running, now) == 0)
		return 0;
	if (error)
		*error = running->open_error;
	return running->open_result;
}

void running_probe_settle(struct running_probe *running)
{
	if (!running->probe || running->attachments)
		return;
	running->probe = running->kind->close(running->probe);
	log_info("probe %s: programs unloaded", probe_type_name(running->kind->type));
}

static void attachment_free(const struct running_probe *running, struct attachment *attachment,
			    uint64_t now)
{
	series_owner_free(attachment->series, now);
	probe_settings_free(running->kind->type, &attachment->settings);
	free(attachment->container);
	free(attachment);
}

/* What the target's counts are added to. */
static struct series_owner *open_series(const struct running_probe *running,
					const struct probe_target *target)
{
	const struct selected_probe *probe = &target->pod->probes[running->kind->type];
	struct series_labels labels;

	series_labels_make(target->pod, target->container, running->level, &labels);
	return series_owner_new(running->store, labels.labels, labels.count, &probe->policies);
}

static struct attachment *attachment_new(const struct running_probe *running,
					 const struct probe_slot *slot,
					 const struct probe_target *target,
					 const union probe_settings *settings, uint64_t now)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	attachment->cgroup_id = target->cgroup_id;
	attachment->slot = slot;
	attachment->settings = probe_settings_copy(running->kind->type, settings);
	attachment->series = open_series(running, target);
	if (attachment->series)
		series_owner_set_context(attachment->series, attachment);
	if (target->container)
		attachment->container = strdup(target->container);
	if (attachment->series && (attachment->container || !target->container))
		return attachment;
	attachment_free(running, attachment, now);
	return NULL;
}

int running_probe_attach(struct running_probe *running, const struct probe_slot *slot,
			 const struct probe_target *target, const union probe_settings *settings,
			 uint64_t now, struct attachment **ret_attachment, struct error *error)
{
	struct probe_target counted = *target;
	struct attachment *attachment;
	int result = running_probe_open(running, now, error);

	if (result < 0)
		return result;
	attachment = attachment_new(running, slot, target, settings, now);
	if (!attachment)
		return error_set(error, ENOMEM, "out of memory");
	/* In the table first: events may come before the call returns. */
	HASH_ADD(hh, running->attachments, cgroup_id, sizeof(uint64_t), attachment);
	if (!is_in_table(attachment)) {
		attachment_free(running, attachment, now);
		return error_set(error, ENOMEM, "out of memory");
	}
	counted.series = attachment->series;
	result = running->kind->attach(running->probe, &counted, settings, &attachment->handle,
				       error);
	if (result == 0) {
		*ret_attachment = attachment;
		return 0;
	}
	HASH_DEL(running->attachments, attachment);
	attachment_free(running, attachment, now);
	return result;
}

void running_probe_detach(struct running_probe *running, struct attachment *attachment,
			  uint64_t now)
{
	attachment->handle = running->kind->detach(running->probe, attachment->handle);
	HASH_DEL(running->attachments, attachment);
	attachment_free(running, attachment, now);
}

void running_probe_read(struct running_probe *running)
{
	if (running->probe)
		running->kind->read(running->probe);
}

struct attachment *running_probe_find(const struct running_probe *running, uint64_t cgroup_id)
{
	struct attachment *found;

	HASH_FIND(hh, running->attachments, &cgroup_id, sizeof(cgroup_id), found);
	return found;
}
