// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/lifecycle/lifecycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "node-agent/lifecycle/slot.h"

/* A pod that is selected, or was and is not yet detached. */
struct lifecycle_pod {
	char uid[POD_UID_SIZE];
	struct probe_slot slots[PROBE_TYPES];
	UT_hash_handle hh;
};

struct lifecycle {
	uv_loop_t *loop;
	struct lifecycle_handlers handlers;
	void *context;
	struct probe_host host;
	struct running_probe running[PROBE_TYPES];
	struct lifecycle_pod *pods;
	uv_timer_t retry_timer;
};

static const char *container_name(const struct selected_pod *pod, const char *id)
{
	for (size_t i = 0; i < pod->container_count; i++)
		if (strcmp(pod->containers[i].id, id) == 0)
			return pod->containers[i].name;
	return NULL;
}

/* Finds out in which container of the pod an event happened. */
static void locate(struct lifecycle *lifecycle, const struct attachment *attachment,
		   uint64_t container_cgroup_id, struct event_source *source)
{
	uint64_t cgroup_id = attachment->container ? attachment->cgroup_id : container_cgroup_id;
	const struct pod_folder *folder =
		lifecycle->handlers.find_folder(lifecycle->context, source->pod->uid);
	const struct container_folder *container =
		folder ? pod_folder_container_by_cgroup(folder, cgroup_id) : NULL;

	if (container) {
		source->container_id = container->id;
		source->container = container_name(source->pod, container->id);
	}
	if (attachment->container)
		source->container = attachment->container;
}

static void on_emit(void *context, enum probe_type type, uint64_t target_cgroup_id,
		    uint64_t container_cgroup_id, cJSON *event)
{
	struct lifecycle *lifecycle = context;
	const struct attachment *attachment =
		running_probe_find(&lifecycle->running[type], target_cgroup_id);
	struct event_source source = {0};

	if (attachment) {
		source.pod = attachment->slot->pod;
		locate(lifecycle, attachment, container_cgroup_id, &source);
	}
	lifecycle->handlers.emit(lifecycle->context, type, &source, event);
}

static const struct selected_pod *pod_of(const struct series_owner *owner)
{
	const struct attachment *attachment = series_owner_context(owner);

	return attachment->slot->pod;
}

static struct series_row *on_edge_row(void *context, struct series_owner *owner,
				      const struct series_layout *layout, const struct edge *edge)
{
	struct lifecycle *lifecycle = context;
	const struct edge_source source = {owner, pod_of(owner)};

	return lifecycle->handlers.edge_row(lifecycle->context, &source, layout, edge);
}

static bool on_find_peer(void *context, struct series_owner *owner,
			 const uint8_t address[EDGE_ADDRESS_SIZE], struct peer_identity *ret_peer)
{
	struct lifecycle *lifecycle = context;

	return lifecycle->handlers.find_peer(lifecycle->context, pod_of(owner), address, ret_peer);
}

static void on_learn_name(void *context, struct series_owner *owner,
			  const uint8_t address[EDGE_ADDRESS_SIZE], const char *name,
			  uint32_t ttl_s)
{
	struct lifecycle *lifecycle = context;

	lifecycle->handlers.learn_name(lifecycle->context, pod_of(owner), address, name, ttl_s);
}

static struct lifecycle_pod *find_pod(const struct lifecycle *lifecycle, const char *uid)
{
	struct lifecycle_pod *found;

	HASH_FIND_STR(lifecycle->pods, uid, found);
	return found;
}

static struct lifecycle_pod *add_pod(struct lifecycle *lifecycle, const char *uid)
{
	struct lifecycle_pod *pod = calloc(1, sizeof(*pod));

	if (!pod)
		return NULL;
	strncpy(pod->uid, uid, sizeof(pod->uid) - 1);
	for (int type = 0; type < PROBE_TYPES; type++)
		pod->slots[type].type = (enum probe_type)type;
	HASH_ADD_STR(lifecycle->pods, uid, pod);
	if (is_in_table(pod))
		return pod;
	free(pod);
	return NULL;
}

static void remove_pod(struct lifecycle *lifecycle, struct lifecycle_pod *pod)
{
	HASH_DEL(lifecycle->pods, pod);
	for (int type = 0; type < PROBE_TYPES; type++)
		slot_free(&pod->slots[type]);
	free(pod);
}

/* The time of the earliest retry, 0 for none. */
static uint64_t next_retry(const struct lifecycle *lifecycle)
{
	struct lifecycle_pod *pod, *next;
	uint64_t earliest = 0;

	HASH_ITER(hh, lifecycle->pods, pod, next) {
		for (int type = 0; type < PROBE_TYPES; type++) {
			uint64_t at = pod->slots[type].retry.at;

			if (at && (!earliest || at < earliest))
				earliest = at;
		}
	}
	return earliest;
}

static void on_retry_timer(uv_timer_t *timer);

static void schedule_retry(struct lifecycle *lifecycle, uint64_t at)
{
	uint64_t now = uv_now(lifecycle->loop);

	uv_timer_start(&lifecycle->retry_timer, on_retry_timer, at > now ? at - now : 0, 0);
}

/* A slot has failed: the timer must end no later than its pause. */
static void arm_retry(struct lifecycle *lifecycle, const struct retry *retry)
{
	uint64_t now = uv_now(lifecycle->loop);
	const uv_handle_t *timer = (const uv_handle_t *)&lifecycle->retry_timer;

	if (!retry->at)
		return;
	if (!uv_is_active(timer) || now + uv_timer_get_due_in(&lifecycle->retry_timer) > retry->at)
		schedule_retry(lifecycle, retry->at);
}

/* Brings all probes of the pod up to date. Returns whether the report has changed. */
static bool sync_slots(struct lifecycle *lifecycle, struct lifecycle_pod *pod,
		       const struct selected_pod *selected)
{
	const struct pod_folder *folder = NULL;
	bool differs = false;

	if (selected)
		folder = lifecycle->handlers.find_folder(lifecycle->context, pod->uid);
	for (int type = 0; type < PROBE_TYPES; type++) {
		differs |= slot_sync(&pod->slots[type], &lifecycle->running[type], selected, folder,
				     uv_now(lifecycle->loop));
		arm_retry(lifecycle, &pod->slots[type].retry);
	}
	return differs;
}

void lifecycle_sync(struct lifecycle *lifecycle, const char *uid)
{
	const struct selected_pod *selected = lifecycle->handlers.find_pod(lifecycle->context, uid);
	struct lifecycle_pod *pod = find_pod(lifecycle, uid);
	bool differs;

	if (!pod && !selected)
		return;
	if (!pod)
		pod = add_pod(lifecycle, uid);
	if (!pod) {
		log_error("out of memory: pod %s is not observed", uid);
		return;
	}
	differs = sync_slots(lifecycle, pod, selected);
	if (!selected)
		remove_pod(lifecycle, pod);
	if (differs)
		lifecycle->handlers.changed(lifecycle->context);
}

static bool is_due(const struct lifecycle_pod *pod, uint64_t now)
{
	for (int type = 0; type < PROBE_TYPES; type++)
		if (slot_is_due(&pod->slots[type], now))
			return true;
	return false;
}

static void on_retry_timer(uv_timer_t *timer)
{
	struct lifecycle *lifecycle = timer->data;
	struct lifecycle_pod *pod, *next;
	uint64_t at;

	HASH_ITER(hh, lifecycle->pods, pod, next) {
		char uid[POD_UID_SIZE];

		if (!is_due(pod, uv_now(lifecycle->loop)))
			continue;
		memcpy(uid, pod->uid, sizeof(uid));
		lifecycle_sync(lifecycle, uid);
	}
	lifecycle_settle(lifecycle);
	at = next_retry(lifecycle);
	if (at)
		schedule_retry(lifecycle, at);
}

void lifecycle_settle(struct lifecycle *lifecycle)
{
	for (int type = 0; type < PROBE_TYPES; type++)
		running_probe_settle(&lifecycle->running[type]);
}

int lifecycle_report(const struct lifecycle *lifecycle, struct report *report)
{
	struct lifecycle_pod *pod, *next;

	HASH_ITER(hh, lifecycle->pods, pod, next) {
		for (int type = 0; type < PROBE_TYPES; type++) {
			const struct probe_slot *slot = &pod->slots[type];
			int result = 0;

			if (slot->wanted && slot->state != PROBE_ATTACHED)
				result = report_add(report, pod->uid, slot->type, slot->state,
						    slot->reason,
						    slot->message ? slot->message : "");
			if (result < 0)
				return result;
		}
	}
	return 0;
}

static enum probe_state worst_state(const struct lifecycle_pod *pod)
{
	enum probe_state worst = PROBE_ATTACHED;

	for (int type = 0; type < PROBE_TYPES; type++)
		if (pod->slots[type].wanted && pod->slots[type].state > worst)
			worst = pod->slots[type].state;
	return worst;
}

struct lifecycle_counts lifecycle_count(const struct lifecycle *lifecycle)
{
	struct lifecycle_counts counts = {0};
	struct lifecycle_pod *pod, *next;

	HASH_ITER(hh, lifecycle->pods, pod, next) {
		counts.pods[worst_state(pod)]++;
		for (int type = 0; type < PROBE_TYPES; type++)
			counts.attached[type] +=
				pod->slots[type].wanted && pod->slots[type].state == PROBE_ATTACHED;
	}
	for (int type = 0; type < PROBE_TYPES; type++)
		counts.programs_loaded += lifecycle->running[type].probe != NULL;
	return counts;
}

void lifecycle_read(struct lifecycle *lifecycle)
{
	for (int type = 0; type < PROBE_TYPES; type++)
		running_probe_read(&lifecycle->running[type]);
}

static void set_up_running(struct lifecycle *lifecycle, const struct lifecycle_settings *settings)
{
	for (int type = 0; type < PROBE_TYPES; type++)
		lifecycle->running[type] = (struct running_probe){
			.kind = settings->kinds[type],
			.host = &lifecycle->host,
			.store = settings->store,
			.level = settings->level,
		};
}

int lifecycle_new(uv_loop_t *loop, const struct lifecycle_settings *settings,
		  const struct lifecycle_handlers *handlers, void *context,
		  struct lifecycle **ret_lifecycle, struct error *error)
{
	struct lifecycle *lifecycle = calloc(1, sizeof(*lifecycle));

	if (!lifecycle)
		return error_set(error, ENOMEM, "out of memory");
	lifecycle->loop = loop;
	lifecycle->handlers = *handlers;
	lifecycle->context = context;
	lifecycle->host = (struct probe_host){
		.loop = loop,
		.tracefs = settings->tracefs,
		.emit = on_emit,
		.edge_row = on_edge_row,
		.find_peer = on_find_peer,
		.learn_name = on_learn_name,
		.context = lifecycle,
	};
	set_up_running(lifecycle, settings);
	lifecycle->retry_timer.data = lifecycle;
	uv_timer_init(loop, &lifecycle->retry_timer);
	*ret_lifecycle = lifecycle;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct lifecycle *lifecycle_free(struct lifecycle *lifecycle)
{
	struct lifecycle_pod *pod, *next;

	if (!lifecycle)
		return NULL;
	HASH_ITER(hh, lifecycle->pods, pod, next) {
		(void)sync_slots(lifecycle, pod, NULL); /* nobody is told any more */
		remove_pod(lifecycle, pod);
	}
	lifecycle_settle(lifecycle);
	uv_close((uv_handle_t *)&lifecycle->retry_timer, on_closed);
	return NULL;
}
