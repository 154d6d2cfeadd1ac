// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_kind_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "node-agent/probes/programs.h"

#define REST_MS 1000 /* a program runs for some microseconds */

/* Counters of nobody, those that have rested longest first. */
struct http_resting {
	size_t count;
	struct {
		uint64_t since; /* ms */
		struct http_kind_place place;
	} counters[HTTP_KINDS_LIMIT];
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct http_kind_maps http_kind_maps_init(const struct shares *shares)
{
	return (struct http_kind_maps){
		.kinds = {-1, sizeof(struct http_kind), sizeof(struct http_kind_place), "HTTP"},
		.others = {-1, sizeof(struct http_kind), sizeof(struct http_counters), "HTTP"},
		.counters = -1,
		.free = -1,
		.shares = shares,
	};
}

void http_kind_maps_close(struct http_kind_maps *maps)
{
	programs_close(&maps->kinds.descriptor);
	programs_close(&maps->others.descriptor);
	programs_close(&maps->counters);
	programs_close(&maps->free);
	free(maps->resting);
	maps->resting = NULL;
}

/* Without memory for it, they are lost until the agent starts again, and stay in the share. */
static void rest(struct http_kind_maps *maps, const struct http_kind_place *place)
{
	struct http_resting *resting = maps->resting;

	if (!resting)
		resting = maps->resting = calloc(1, sizeof(*resting));
	if (!resting || resting->count == HTTP_KINDS_LIMIT)
		return;
	resting->counters[resting->count].since = now_ms();
	resting->counters[resting->count++].place = *place;
}

static void set_free(struct http_kind_maps *maps, const struct http_kind_place *place)
{
	static const struct http_counters zero;

	if (bpf_map_update_elem(maps->counters, &place->index, &zero, BPF_ANY))
		return;
	(void)bpf_map_update_elem(maps->free, NULL, &place->index, BPF_ANY); /* there is room */
	shares_return(maps->shares, place->namespace, HTTP_SHARED_KINDS);
}

static void end_rests(struct http_kind_maps *maps)
{
	struct http_resting *resting = maps->resting;
	size_t ended = 0;

	if (!resting || resting->count == 0)
		return;
	while (ended < resting->count && now_ms() - resting->counters[ended].since >= REST_MS)
		set_free(maps, &resting->counters[ended++].place);
	resting->count -= ended;
	memmove(resting->counters, resting->counters + ended,
		resting->count * sizeof(resting->counters[0]));
}

/* Who wants to be told of kinds, while they are read. */
struct reading {
	const struct http_kind_maps *maps;
	void (*kind)(void *context, const void *key, const void *counters);
	void *context;
};

static void read_kind(void *context, const void *key, const void *value)
{
	const struct reading *reading = context;
	const struct http_kind_place *place = value;
	struct http_counters counters;

	if (bpf_map_lookup_elem(reading->maps->counters, &place->index, &counters) == 0)
		reading->kind(reading->context, key, &counters);
}

void http_kind_maps_read(struct http_kind_maps *maps,
			 void (*kind)(void *context, const void *key, const void *counters),
			 void *context)
{
	struct reading reading = {maps, kind, context};

	end_rests(maps);
	kernel_map_read(&maps->kinds, read_kind, &reading);
	kernel_map_read(&maps->others, kind, context);
}

int http_kind_maps_take(struct http_kind_maps *maps, const struct http_kind *kind,
			struct http_counters *ret_counters)
{
	struct http_kind_place place;
	int result;

	if (!kind->port)
		return kernel_map_take(&maps->others, kind, ret_counters);
	result = kernel_map_take(&maps->kinds, kind, &place);
	if (result < 0)
		return result;
	rest(maps, &place);
	return bpf_map_lookup_elem(maps->counters, &place.index, ret_counters) ? -errno : 0;
}
