// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * At each turn of the timer one request goes out: a holder writes the Lease anew, a candidate
 * reads it and, where lease_next() says so, writes it. A write bears the version that was read, so
 * of two candidates one fails. Requests never overlap.
 */
#include "lib/kube/lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/lease_state.h"
#include "lib/kube/transfer.h"

#define NOT_FOUND 404
#define CONFLICT  409

struct kube_lease {
	struct kube_client *client;
	struct kube_lease_settings settings; /* its strings are owned */
	struct kube_lease_handlers handlers;
	void *context;
	uv_timer_t turn;
	uv_timer_t deadline; /* runs while it is held */
	int handles;
	struct kube_transfer *transfer; /* under way, or NULL */
	bool is_writing;		/* it is a write for ourselves */
	uint64_t sent_ms;		/* when it began */
	struct lease_seen seen;
	cJSON *known; /* the Lease as the API server has it, as far as we know; else NULL */
	bool held;
	uint64_t renewed_ms; /* when the last write that succeeded began */
	bool troubled;	     /* which has been logged */
	void (*released)(void *context);
	void *released_context;
};

/* CLOCK_BOOTTIME goes on while the machine is suspended, as the other candidates' clocks do. */
static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool kube_lease_is_held(const struct kube_lease *lease)
{
	return lease->held && clock_ms() - lease->renewed_ms < lease->settings.deadline_ms;
}

const char *kube_lease_holder(const struct kube_lease *lease)
{
	return lease->seen.holder;
}

static void forget_known(struct kube_lease *lease)
{
	cJSON_Delete(lease->known);
	lease->known = NULL;
}

static void learn(struct kube_lease *lease, const cJSON *object)
{
	forget_known(lease);
	lease->known = object ? cJSON_Duplicate(object, true) : NULL;
	lease_seen_update(&lease->seen, object, clock_ms());
}

static void lose(struct kube_lease *lease, const char *why)
{
	lease->transfer = kube_transfer_cancel(lease->transfer);
	lease->is_writing = lease->held = false;
	forget_known(lease);
	uv_timer_stop(&lease->deadline);
	lease->handlers.lost(lease->context, why);
}

static void on_turn(uv_timer_t *timer);

/* Candidates come back at times that differ, so that they do not always meet. */
static void turn_after(struct kube_lease *lease, uint32_t delay_ms)
{
	uint32_t random = 0;

	(void)uv_random(NULL, NULL, &random, sizeof(random), 0, NULL); /* 0 will do */
	if (!lease->held)
		delay_ms += random % (delay_ms / 4 + 1);
	uv_timer_start(&lease->turn, on_turn, delay_ms, 0);
}

static void on_deadline(uv_timer_t *timer)
{
	struct kube_lease *lease = timer->data;

	lose(lease, "it could not be renewed in time");
	turn_after(lease, lease->settings.retry_ms);
}

/* Says once that something is wrong, and once that it is right again. */
static void tell_trouble(struct kube_lease *lease, const char *why)
{
	if (why && !lease->troubled)
		log_warn("Lease %s/%s: %s; trying again every %u ms", lease->settings.namespace,
			 lease->settings.name, why, lease->settings.retry_ms);
	if (!why && lease->troubled)
		log_info("Lease %s/%s is reached again", lease->settings.namespace,
			 lease->settings.name);
	lease->troubled = why;
}

/* An answer that took too long is no ground to begin on. */
static void hold(struct kube_lease *lease)
{
	uint64_t passed_ms = clock_ms() - lease->sent_ms;
	bool is_new = !lease->held;

	if (passed_ms >= lease->settings.deadline_ms)
		return;
	lease->renewed_ms = lease->sent_ms;
	lease->held = true;
	uv_timer_start(&lease->deadline, on_deadline, lease->settings.deadline_ms - passed_ms, 0);
	if (is_new)
		lease->handlers.acquired(lease->context);
}

/* Renewals keep their pace however long answers take, lest a slow one costs the next one's time. */
static uint32_t left_of_retry_ms(const struct kube_lease *lease)
{
	uint64_t passed_ms = clock_ms() - lease->sent_ms;

	return passed_ms < lease->settings.retry_ms ? lease->settings.retry_ms - (uint32_t)passed_ms
						    : 0;
}

static void give_back(struct kube_lease *lease);

static void on_written(void *context, const struct kube_response *response)
{
	struct kube_lease *lease = context;

	lease->transfer = NULL;
	lease->is_writing = false;
	/* A write fails where somebody else was faster; else it is not known what holds now. */
	tell_trouble(lease, response->status == CONFLICT ? NULL : response->reason);
	if (response->reason)
		forget_known(lease);
	else
		learn(lease, response->body);
	if (lease->released) {
		give_back(lease);
		return;
	}
	turn_after(lease, response->reason ? lease->settings.retry_ms : left_of_retry_ms(lease));
	if (!response->reason)
		hold(lease);
}

static void ask(struct kube_lease *lease, const char *method, const cJSON *body,
		kube_response_handler done)
{
	struct kube_transfer_request request = {
		.method = method,
		.content_type = KUBE_JSON,
		.body = body,
		.done = done,
		.context = lease,
	};
	cleanup_free char *path = NULL;
	struct error error = {"out of memory"};
	bool is_new = strcmp(method, "POST") == 0;

	if (asprintf(&path, "/apis/coordination.k8s.io/v1/namespaces/%s/leases%s%s",
		     lease->settings.namespace, is_new ? "" : "/",
		     is_new ? "" : lease->settings.name) < 0)
		path = NULL;
	request.path = path;
	lease->sent_ms = clock_ms();
	if (path && kube_transfer_start(lease->client, &request, &lease->transfer, &error) == 0)
		return;
	tell_trouble(lease, error.message);
	turn_after(lease, lease->settings.retry_ms);
}

/* Writes the Lease for `identity`, over what is known of it. */
static void write_lease(struct kube_lease *lease, const char *identity, kube_response_handler done)
{
	struct lease_claim claim = {
		.namespace = lease->settings.namespace,
		.name = lease->settings.name,
		.identity = identity,
		.duration_ms = lease->settings.duration_ms,
	};
	cleanup_json cJSON *body = NULL;

	clock_gettime(CLOCK_REALTIME, &claim.now);
	body = lease_claim_json(&claim, lease->known);
	if (body) {
		ask(lease, lease->known ? "PUT" : "POST", body, done);
		return;
	}
	tell_trouble(lease, "out of memory");
	turn_after(lease, lease->settings.retry_ms);
}

static void claim(struct kube_lease *lease)
{
	write_lease(lease, lease->settings.identity, on_written);
	lease->is_writing = lease->transfer;
}

/* What was read while it is held: a write before may have failed only for us. */
static bool is_taken_away(const struct kube_lease *lease)
{
	return lease->held && strcmp(lease->seen.holder, lease->settings.identity) != 0;
}

static void on_read(void *context, const struct kube_response *response)
{
	struct kube_lease *lease = context;
	bool is_there = !response->reason;

	lease->transfer = NULL;
	if (response->reason && response->status != NOT_FOUND) {
		tell_trouble(lease, response->reason);
		turn_after(lease, lease->settings.retry_ms);
		return;
	}
	tell_trouble(lease, NULL);
	learn(lease, is_there ? response->body : NULL);
	if (is_taken_away(lease))
		lose(lease,
		     *lease->seen.holder ? "another process holds it" : "somebody took it away");
	if (lease_next(&lease->seen, lease->settings.identity, clock_ms()) == LEASE_WAIT)
		turn_after(lease, lease->settings.retry_ms);
	else
		claim(lease);
}

static void on_turn(uv_timer_t *timer)
{
	struct kube_lease *lease = timer->data;

	if (lease->held && lease->known)
		claim(lease);
	else
		ask(lease, "GET", NULL, on_read);
}

static int copy_settings(struct kube_lease *lease, const struct kube_lease_settings *settings)
{
	lease->settings = *settings;
	lease->settings.namespace = strdup(settings->namespace);
	lease->settings.name = strdup(settings->name);
	lease->settings.identity = strdup(settings->identity);
	return lease->settings.namespace && lease->settings.name && lease->settings.identity
		       ? 0
		       : -ENOMEM;
}

static void free_memory(struct kube_lease *lease)
{
	forget_known(lease);
	free((char *)lease->settings.namespace);
	free((char *)lease->settings.name);
	free((char *)lease->settings.identity);
	free(lease);
}

int kube_lease_new(struct kube_client *client, uv_loop_t *loop,
		   const struct kube_lease_settings *settings,
		   const struct kube_lease_handlers *handlers, void *context,
		   struct kube_lease **ret_lease, struct error *error)
{
	struct kube_lease *lease = calloc(1, sizeof(*lease));

	if (!lease || copy_settings(lease, settings) < 0) {
		if (lease)
			free_memory(lease);
		return error_set_errno(error, ENOMEM, "try for a Lease");
	}
	lease->client = client;
	lease->handlers = *handlers;
	lease->context = context;
	uv_timer_init(loop, &lease->turn);
	uv_timer_init(loop, &lease->deadline);
	lease->turn.data = lease->deadline.data = lease;
	lease->handles = 2;
	uv_timer_start(&lease->turn, on_turn, 0, 0);
	*ret_lease = lease;
	return 0;
}

static void on_released(void *context, const struct kube_response *response)
{
	struct kube_lease *lease = context;

	lease->transfer = NULL;
	if (response->reason)
		log_warn("Lease %s/%s is not released: %s; another process takes it in %u s",
			 lease->settings.namespace, lease->settings.name, response->reason,
			 lease->settings.duration_ms / 1000);
	lease->released(lease->released_context);
}

/* Writes that nobody holds what we do, if we do. */
static void give_back(struct kube_lease *lease)
{
	if (lease->known && strcmp(lease->seen.holder, lease->settings.identity) == 0)
		write_lease(lease, "", on_released);
	uv_timer_stop(&lease->turn); /* which a write that cannot be sent has set */
	if (!lease->transfer)
		lease->released(lease->released_context);
}

void kube_lease_release(struct kube_lease *lease, void (*done)(void *context), void *context)
{
	lease->released = done;
	lease->released_context = context;
	lease->held = false;
	uv_timer_stop(&lease->deadline);
	uv_timer_stop(&lease->turn);
	if (lease->is_writing)
		return; /* whose answer says what there is to give back */
	lease->transfer = kube_transfer_cancel(lease->transfer);
	give_back(lease);
}

static void on_closed(uv_handle_t *handle)
{
	struct kube_lease *lease = handle->data;

	if (--lease->handles == 0)
		free_memory(lease);
}

struct kube_lease *kube_lease_free(struct kube_lease *lease)
{
	if (!lease)
		return NULL;
	lease->transfer = kube_transfer_cancel(lease->transfer);
	uv_close((uv_handle_t *)&lease->turn, on_closed);
	uv_close((uv_handle_t *)&lease->deadline, on_closed);
	return NULL;
}
