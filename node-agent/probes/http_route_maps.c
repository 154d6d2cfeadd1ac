// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_route_maps.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "node-agent/probes/programs.h"

struct http_route_maps http_route_maps_init(const struct shares *shares)
{
	return (struct http_route_maps){
		.steps = -1,
		.found = {-1, sizeof(struct http_found_key), sizeof(struct http_found), "HTTP"},
		.shares = shares,
	};
}

void http_route_maps_close(struct http_route_maps *maps)
{
	programs_close(&maps->steps);
	programs_close(&maps->found.descriptor);
}

static struct http_step_key key_of(uint32_t number, const struct http_template_step *step)
{
	return (struct http_step_key){
		.segment = step->segment, .templates = number, .node = step->from};
}

int http_route_maps_add(const struct http_route_maps *maps, uint32_t number,
			const struct http_templates *templates, struct error *error)
{
	for (size_t i = 0; i < templates->count; i++) {
		const struct http_template_step *step = &templates->steps[i];
		const struct http_step_key key = key_of(number, step);
		int failure;

		if (!bpf_map_update_elem(maps->steps, &key, &step->step, BPF_ANY))
			continue;
		failure = errno;
		http_route_maps_remove(maps, number, templates);
		if (failure == E2BIG)
			return error_set(error, E2BIG,
					 "http.routes: the policies on this node have more routes "
					 "than fit (%d segments); leave some out",
					 HTTP_STEPS_LIMIT);
		return error_set_errno(error, failure, "http.routes: write them");
	}
	return 0;
}

void http_route_maps_remove(const struct http_route_maps *maps, uint32_t number,
			    const struct http_templates *templates)
{
	for (size_t i = 0; i < templates->count; i++) {
		const struct http_step_key key = key_of(number, &templates->steps[i]);

		(void)bpf_map_delete_elem(maps->steps, &key); /* fails where it is not: well */
	}
}

void http_route_maps_forget(const struct http_route_maps *maps, const struct http_found_key *key)
{
	struct http_found found;

	if (kernel_map_take(&maps->found, key, &found) == 0)
		shares_return(maps->shares, found.namespace, HTTP_SHARED_FOUND);
}
