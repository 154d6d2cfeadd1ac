// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/lifecycle/slot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <utlist.h>

#include "lib/base/log.h"

/* How a round of steps went. */
struct outcome {
	int result;    /* of the first step that failed */
	bool vanished; /* a cgroup ended before it could be attached to */
	const char *reason;
	struct error error;
};

static void outcome_fail(struct outcome *outcome, int result, const char *reason,
			 const struct error *error)
{
	if (outcome->result == 0)
		*outcome = (struct outcome){result, outcome->vanished, reason, *error};
}

/* Whether the cgroup is still the one that was found. */
static bool target_exists(const struct plan_target *target)
{
	struct stat status;

	return stat(target->path, &status) == 0 && status.st_ino == target->cgroup_id;
}

static void slot_attach(struct probe_slot *slot, struct running_probe *running,
			const struct plan_target *wanted, unsigned int level, uint64_t now,
			struct outcome *outcome)
{
	struct probe_target target = {
		.path = wanted->path,
		.cgroup_id = wanted->cgroup_id,
		.cgroup_level = wanted->container ? level + 1 : level,
		.pod = slot->pod,
		.container = wanted->container,
	};
	struct attachment *attachment;
	struct error error = {""};
	int result = running_probe_attach(running, slot, &target,
					  &slot->pod->probes[slot->type].settings, now, &attachment,
					  &error);

	if (result == 0)
		LL_PREPEND(slot->attachments, attachment);
	else if (target_exists(wanted))
		outcome_fail(outcome, result, "AttachFailed", &error);
	else
		outcome->vanished = true;
}

static void slot_configure(struct probe_slot *slot, struct running_probe *running,
			   struct attachment *attachment, struct outcome *outcome)
{
	const union probe_settings *settings = &slot->pod->probes[slot->type].settings;
	struct error error = {""};
	int result = running->kind->configure(running->probe, attachment->handle, settings, &error);

	if (result < 0) {
		outcome_fail(outcome, result, "ConfigureFailed", &error);
		return;
	}
	probe_settings_free(slot->type, &attachment->settings);
	attachment->settings = probe_settings_copy(slot->type, settings);
}

static void slot_detach(struct probe_slot *slot, struct running_probe *running,
			struct attachment *attachment, uint64_t now)
{
	LL_DELETE(slot->attachments, attachment);
	running_probe_detach(running, attachment, now);
}

/* The series of what is attached count for the policies that ask for it now. */
static void charge_series(const struct probe_slot *slot)
{
	const struct strings *policies = &slot->pod->probes[slot->type].policies;
	const struct attachment *attachment;

	LL_FOREACH(slot->attachments, attachment)
		if (series_owner_set_policies(attachment->series, policies) < 0)
			log_error("out of memory: series of pod %s/%s count for the policies that "
				  "asked for them before",
				  slot->pod->namespace, slot->pod->name);
}

/* The slot's attachments as the plan sees them, and in the same order as pointers. */
static size_t list_attached(const struct probe_slot *slot, struct plan_attached *ret_attached,
			    struct attachment **ret_attachments)
{
	struct attachment *attachment;
	size_t count = 0;

	LL_FOREACH(slot->attachments, attachment) {
		ret_attached[count] =
			(struct plan_attached){attachment->cgroup_id, attachment->settings};
		ret_attachments[count++] = attachment;
	}
	return count;
}

static void carry_out(struct probe_slot *slot, struct running_probe *running,
		      const struct plan_wanted *wanted, unsigned int level, uint64_t now,
		      struct outcome *outcome)
{
	struct plan_attached attached[SELECTION_CONTAINERS_LIMIT];
	struct attachment *attachments[SELECTION_CONTAINERS_LIMIT];
	struct plan_step steps[PLAN_STEPS_LIMIT];
	size_t count = list_attached(slot, attached, attachments);

	count = plan_steps(slot->type, wanted, &slot->pod->probes[slot->type].settings, attached,
			   count, steps);
	for (size_t i = 0; i < count; i++) {
		size_t index = steps[i].index;

		if (steps[i].action == PLAN_ATTACH)
			slot_attach(slot, running, &wanted->targets[index], level, now, outcome);
		else if (steps[i].action == PLAN_CONFIGURE)
			slot_configure(slot, running, attachments[index], outcome);
		else
			slot_detach(slot, running, attachments[index], now);
	}
}

/* Takes the new state over. Returns whether it differs. */
static bool set_state(struct probe_slot *slot, enum probe_state state, const char *reason,
		      const char *message)
{
	if (slot->state == state && strcmp(slot->reason ? slot->reason : "", reason) == 0 &&
	    strcmp(slot->message ? slot->message : "", message) == 0)
		return false;
	slot->state = state;
	slot->reason = reason;
	free(slot->message);
	slot->message = *message ? strdup(message) : NULL;
	return true;
}

static bool conclude_failure(struct probe_slot *slot, const struct outcome *outcome, uint64_t now)
{
	bool unsupported = outcome->result == -EOPNOTSUPP;
	bool differs =
		set_state(slot, unsupported ? PROBE_UNSUPPORTED : PROBE_FAILED,
			  unsupported ? "Unsupported" : outcome->reason, outcome->error.message);

	retry_failed(&slot->retry, now);
	if (differs)
		log_warn("probe %s on pod %s/%s: %s", probe_type_name(slot->type),
			 slot->pod->namespace, slot->pod->name, outcome->error.message);
	return differs;
}

static bool conclude(struct probe_slot *slot, const struct plan_wanted *wanted,
		     const struct outcome *outcome, uint64_t now)
{
	if (outcome->result < 0)
		return conclude_failure(slot, outcome, now);
	if (outcome->vanished) {
		retry_failed(&slot->retry, now);
		return set_state(slot, PROBE_WAITING, "PodNotStarted",
				 "the cgroup ended before it could be attached to");
	}
	slot->retry = (struct retry){0};
	if (wanted->waiting_reason)
		return set_state(slot, PROBE_WAITING, wanted->waiting_reason,
				 wanted->waiting_message);
	return set_state(slot, PROBE_ATTACHED, "", "");
}

bool slot_sync(struct probe_slot *slot, struct running_probe *running,
	       const struct selected_pod *pod, const struct pod_folder *folder, uint64_t now)
{
	const struct selected_probe *probe = pod ? &pod->probes[slot->type] : NULL;
	struct outcome outcome = {0};
	struct plan_wanted wanted;
	bool was_wanted = slot->wanted, differs;

	wanted.count = 0;
	wanted.waiting_reason = NULL;
	slot->wanted = probe && probe->wanted;
	/* Its last events are those of the pod as it was selected. */
	if (slot->wanted || !slot->pod)
		slot->pod = pod;
	if (!slot->pod)
		return false;
	if (slot->wanted)
		plan_want(pod, probe, folder, &wanted);
	carry_out(slot, running, &wanted, folder ? folder->level : 0, now, &outcome);
	charge_series(slot);
	differs = conclude(slot, &wanted, &outcome, now);
	slot->pod = pod;
	return differs || was_wanted != slot->wanted;
}

bool slot_is_due(const struct probe_slot *slot, uint64_t now)
{
	return slot->retry.at && slot->retry.at <= now;
}

void slot_free(struct probe_slot *slot)
{
	free(slot->message);
	*slot = (struct probe_slot){0};
}
