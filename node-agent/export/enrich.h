/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Adds to a probe's event what the agent knows of the pod. Pure. */
#ifndef SKEP_NODE_AGENT_EXPORT_ENRICH_H
#define SKEP_NODE_AGENT_EXPORT_ENRICH_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "lib/link/selection.h"

/*
 * Makes the event as it is written: time first, then type, node, namespace, pod, container,
 * container_id, workload, policies, and then the rest of the probe's members. Takes `event`, also
 * when it fails. `container` and `container_id` may be NULL; a container that is known by its ID
 * alone gets "container": null, for event_name_container(). `told` says which of the probe's
 * policies are named; NULL: all. NULL when memory ran out.
 */
cJSON *event_enrich(cJSON *event, enum probe_type type, const char *node,
		    const struct selected_pod *pod, const char *container, const char *container_id,
		    const bool *told);

/* Gives the container of an enriched event its name; NULL takes the member away. */
void event_name_container(cJSON *event, const char *name);

#endif
