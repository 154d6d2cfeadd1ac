// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/leader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/kube/lease.h"
#include "operator/leader_slice.h"

struct leader {
	struct kube_lease *lease; /* NULL without an election */
	struct leader_slice *slice;
	struct leader_handlers handlers;
	void *context;
	uv_timer_t alone; /* leads from the loop where there is no election */
	bool leading;
};

bool leader_is_leading(const struct leader *leader)
{
	return leader->leading && (!leader->lease || kube_lease_is_held(leader->lease));
}

void leader_name(const struct leader *leader, char *name, size_t size)
{
	const char *holder = leader->lease ? kube_lease_holder(leader->lease) : "";

	snprintf(name, size, "%.*s", (int)strcspn(holder, "_"), holder);
}

static void on_acquired(void *context)
{
	struct leader *leader = context;

	log_info("leading");
	leader->leading = true;
	leader->handlers.lead(leader->context);
}

static void on_lost(void *context, const char *why)
{
	struct leader *leader = context;

	log_warn("the lead is lost: %s; standing by", why);
	leader->leading = false;
	if (leader->slice)
		leader_slice_withdraw(leader->slice);
	leader->handlers.stand_by(leader->context);
}

static void on_alone(uv_timer_t *timer)
{
	on_acquired(timer->data);
}

/*
 * The pod's name and UID: no other process that is alive has them, and a container that was started
 * anew has them again, so that it need not wait for its own Lease. Outside of a pod, chance does.
 */
static char *make_identity(const struct leader_settings *settings)
{
	uint64_t chance = 0;
	char *identity;
	int result;

	if (*settings->pod && *settings->pod_uid) {
		result = asprintf(&identity, "%s_%s", settings->pod, settings->pod_uid);
		return result < 0 ? NULL : identity;
	}
	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return NULL;
	result = asprintf(&identity, "%s_%016" PRIx64,
			  *settings->pod ? settings->pod : "skep-operator", chance);
	return result < 0 ? NULL : identity;
}

static int start_lease(struct leader *leader, struct kube_client *client, uv_loop_t *loop,
		       const struct leader_settings *settings, struct error *error)
{
	static const struct kube_lease_handlers handlers = {.acquired = on_acquired,
							    .lost = on_lost};
	cleanup_free char *identity = make_identity(settings);
	const struct kube_lease_settings lease = {
		.namespace = settings->namespace,
		.name = LEADER_LEASE,
		.identity = identity,
		.duration_ms = settings->duration_ms,
		.deadline_ms = settings->deadline_ms,
		.retry_ms = settings->retry_ms,
	};

	if (!identity)
		return error_set(error, ENOMEM, "no name for the election: out of memory");
	log_info("standing by as %s", identity);
	return kube_lease_new(client, loop, &lease, &handlers, leader, &leader->lease, error);
}

static int start(struct leader *leader, struct kube_client *client, uv_loop_t *loop,
		 const struct leader_settings *settings, struct error *error)
{
	const struct leader_slice_settings slice = {
		.namespace = settings->namespace,
		.address = settings->address,
		.agents_port = settings->agents_port,
		.api_port = settings->api_port,
	};
	int result = 0;

	if (*settings->address)
		result = leader_slice_new(client, loop, &slice, &leader->slice, error);
	if (result == 0 && settings->elect)
		result = start_lease(leader, client, loop, settings, error);
	else if (result == 0)
		uv_timer_start(&leader->alone, on_alone, 0, 0);
	return result;
}

int leader_new(struct kube_client *client, uv_loop_t *loop, const struct leader_settings *settings,
	       const struct leader_handlers *handlers, void *context, struct leader **ret_leader,
	       struct error *error)
{
	struct leader *leader = calloc(1, sizeof(*leader));
	int result;

	if (!leader)
		return error_set(error, ENOMEM, "out of memory");
	leader->handlers = *handlers;
	leader->context = context;
	uv_timer_init(loop, &leader->alone);
	leader->alone.data = leader;
	result = start(leader, client, loop, settings, error);
	if (result < 0) {
		leader_free(leader);
		return result;
	}
	*ret_leader = leader;
	return 0;
}

void leader_publish(struct leader *leader)
{
	if (leader->slice)
		leader_slice_publish(leader->slice);
}

void leader_resign(struct leader *leader, void (*done)(void *context), void *context)
{
	leader->leading = false;
	if (leader->slice)
		leader_slice_withdraw(leader->slice);
	if (leader->lease)
		kube_lease_release(leader->lease, done, context);
	else
		done(context);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct leader *leader_free(struct leader *leader)
{
	if (!leader)
		return NULL;
	leader->lease = kube_lease_free(leader->lease);
	leader->slice = leader_slice_free(leader->slice);
	uv_close((uv_handle_t *)&leader->alone, on_closed);
	return NULL;
}
