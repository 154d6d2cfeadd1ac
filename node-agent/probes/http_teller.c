// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_teller.h"

#include <string.h>

#include "lib/base/log.h"
#include "node-agent/probes/event_time.h"
#include "node-agent/probes/http_event.h"

static bool find_peer(const struct http_teller *teller, const struct http_told_target *target,
		      const struct http_record *record, struct peer_identity *ret_peer)
{
	const struct probe_host *host = teller->host;

	return host->find_peer(host->context, target->series, record->address, ret_peer);
}

/* Writes the event; `peer` is NULL where the other end is not known. */
static void tell(struct http_teller *teller, struct http_told_target *target,
		 const struct http_record *record, const struct peer_identity *peer)
{
	const struct probe_host *host = teller->host;
	const char *route = teller->name_route(teller->namer_context, record);
	cJSON *event = http_event_build(record, target->paths, route, peer, event_time_offset());

	if (event) {
		host->emit(host->context, PROBE_HTTP, target->cgroup_id,
			   target->is_container ? target->cgroup_id : record->container, event);
		return;
	}
	target->undecoded++;
	log_error("event of a request lost: no memory");
}

static void remove_first(struct http_teller *teller)
{
	teller->count--;
	memmove(&teller->waiting[0], &teller->waiting[1],
		teller->count * sizeof(teller->waiting[0]));
}

static void wait_for_name(struct http_teller *teller, struct http_told_target *target,
			  const struct http_record *record, uint64_t now_ms)
{
	struct http_waiting *waiting = &teller->waiting[0];

	if (teller->count == HTTP_TELLER_LIMIT) {
		tell(teller, waiting->target, &waiting->record, NULL);
		remove_first(teller);
	}
	waiting = &teller->waiting[teller->count++];
	waiting->target = target;
	waiting->since = now_ms;
	waiting->record = *record;
}

void http_teller_take(struct http_teller *teller, struct http_told_target *target,
		      const struct http_record *record, uint64_t now_ms)
{
	struct peer_identity peer;

	target->received++;
	if (find_peer(teller, target, record, &peer))
		tell(teller, target, record, &peer);
	else
		wait_for_name(teller, target, record, now_ms);
}

/* True when the record waits no more. */
static bool try_again(struct http_teller *teller, const struct http_waiting *waiting,
		      uint64_t now_ms)
{
	struct peer_identity peer;

	if (find_peer(teller, waiting->target, &waiting->record, &peer))
		tell(teller, waiting->target, &waiting->record, &peer);
	else if (now_ms - waiting->since >= HTTP_TELLER_WAIT_MS)
		tell(teller, waiting->target, &waiting->record, NULL);
	else
		return false;
	return true;
}

void http_teller_go_on(struct http_teller *teller, uint64_t now_ms)
{
	size_t left = 0;

	for (size_t i = 0; i < teller->count; i++) {
		if (try_again(teller, &teller->waiting[i], now_ms))
			continue;
		if (left < i)
			teller->waiting[left] = teller->waiting[i];
		left++;
	}
	teller->count = left;
}

void http_teller_flush(struct http_teller *teller, const struct http_told_target *target)
{
	size_t left = 0;

	for (size_t i = 0; i < teller->count; i++) {
		struct http_waiting *waiting = &teller->waiting[i];

		if (waiting->target == target)
			tell(teller, waiting->target, &waiting->record, NULL);
		else
			teller->waiting[left++] = *waiting;
	}
	teller->count = left;
}
