// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_wants.h"

#include <string.h>

_Static_assert(HTTP_TARGET_PORTS == HTTP_PORTS_LIMIT, "all are told to the kernel");
_Static_assert(HTTP_TARGET_STATUSES == HTTP_STATUS_LAST - HTTP_STATUS_FIRST + 1, "one set");
_Static_assert(sizeof(((struct http_target *)0)->report) == sizeof(struct http_status_set),
	       "bit by bit");

static __u32 wants_of(const struct http_settings *settings)
{
	__u32 wants = 0;

	if (settings->slow_ns)
		wants |= HTTP_WANTS_SLOW;
	if (!http_status_set_is_empty(&settings->report))
		wants |= HTTP_WANTS_STATUS;
	if (settings->sample_one_in)
		wants |= HTTP_WANTS_SAMPLES;
	if (wants && settings->paths != HTTP_PATHS_NONE)
		wants |= HTTP_WANTS_HEADS;
	if (settings->port_count)
		wants |= HTTP_WANTS_PORTS;
	if (settings->routes || settings->by_route)
		wants |= HTTP_WANTS_ROUTES;
	if (settings->by_route)
		wants |= HTTP_WANTS_FOUND;
	return wants;
}

void http_wants_set(struct http_target *target, const struct http_settings *settings)
{
	target->wants = wants_of(settings);
	target->slow_ns = settings->slow_ns;
	target->sample_below = settings->sample_one_in ? (1ULL << 32) / settings->sample_one_in : 0;
	memcpy(target->report, settings->report.bits, sizeof(target->report));
	memset(target->ports, 0, sizeof(target->ports));
	memcpy(target->ports, settings->ports, settings->port_count * sizeof(target->ports[0]));
}
