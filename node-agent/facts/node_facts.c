// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/facts/node_facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/message.h"
#include "node-agent/probes/kernel_layout.h"

#define LINE_SIZE 256

/* Whether a controller is in a v1 hierarchy: those of v2 have the number 0 (cgroups(7)). */
static bool v1_is_in_use(void)
{
	cleanup_file FILE *file = fopen("/proc/cgroups", "re");
	char line[LINE_SIZE];
	unsigned int number;

	while (file && fgets(line, sizeof(line), file))
		if (line[0] != '#' && sscanf(line, "%*s %u", &number) == 1 && number != 0)
			return true;
	return false;
}

int node_facts_fixed_init(struct node_facts_fixed *fixed, const char *version, const char *tracefs,
			  const struct hierarchy *hierarchy)
{
	*fixed = (struct node_facts_fixed){
		.version = version,
		.cgroup_path = strdup(hierarchy->root),
		.tracefs = tracefs,
		.whole_hierarchy = hierarchy->whole,
		.hybrid = v1_is_in_use(),
	};
	return fixed->cgroup_path ? 0 : -ENOMEM;
}

void node_facts_fixed_free(struct node_facts_fixed *fixed)
{
	free(fixed->cgroup_path);
	*fixed = (struct node_facts_fixed){0};
}

static bool add_fixed(cJSON *message, const struct node_facts_fixed *fixed)
{
	cJSON *agent = cJSON_AddObjectToObject(message, "agent");
	cJSON *kernel = cJSON_AddObjectToObject(message, "kernel");
	cJSON *cgroup = cJSON_AddObjectToObject(message, "cgroup");
	struct utsname name;

	uname(&name);
	return cJSON_AddStringToObject(agent, "version", fixed->version) &&
	       cJSON_AddStringToObject(kernel, "release", name.release) &&
	       cJSON_AddStringToObject(kernel, "architecture", name.machine) &&
	       cJSON_AddStringToObject(cgroup, "mode", fixed->hybrid ? "Hybrid" : "V2") &&
	       cJSON_AddStringToObject(cgroup, "path", fixed->cgroup_path);
}

static bool add_texts(cJSON *object, const char *name, const char *separated)
{
	cJSON *array = cJSON_AddArrayToObject(object, name);
	cleanup_free char *copy = strdup(separated);
	char *rest = copy;

	while (rest) {
		const char *text = strsep(&rest, ",");

		if (!array || !cJSON_AddItemToArray(array, cJSON_CreateString(text)))
			return false;
	}
	return copy != NULL;
}

static bool add_missing(cJSON *missing, const struct capability *capability)
{
	cJSON *item = json_append_object(missing);

	return cJSON_AddStringToObject(item, "name", capability->name) &&
	       cJSON_AddStringToObject(item, "message", capability->remedy) &&
	       add_texts(item, "affects", capability->affects);
}

static bool add_capabilities(cJSON *message, const struct node_facts_fixed *fixed)
{
	const struct capability_node node = {fixed->whole_hierarchy, fixed->tracefs, KERNEL_BTF};
	bool results[CAPABILITIES_LIMIT];
	size_t count = capabilities_test(&node, results);
	cJSON *object = cJSON_AddObjectToObject(message, "capabilities");
	cJSON *available = cJSON_AddArrayToObject(object, "available");
	cJSON *missing = cJSON_AddArrayToObject(object, "missing");
	bool added = available && missing;

	for (size_t i = 0; i < count && added; i++)
		added = results[i] ? cJSON_AddItemToArray(available,
							  cJSON_CreateString(capabilities[i].name))
				   : add_missing(missing, &capabilities[i]);
	return added;
}

static bool add_pods(cJSON *message, const struct lifecycle_counts *counts)
{
	cJSON *pods = cJSON_AddObjectToObject(message, "pods");
	size_t selected = 0;

	for (int state = PROBE_ATTACHED; state <= PROBE_UNSUPPORTED; state++)
		selected += counts->pods[state];
	return cJSON_AddNumberToObject(pods, "selected", (double)selected) &&
	       cJSON_AddNumberToObject(pods, "attached", (double)counts->pods[PROBE_ATTACHED]) &&
	       cJSON_AddNumberToObject(pods, "waiting", (double)counts->pods[PROBE_WAITING]) &&
	       cJSON_AddNumberToObject(pods, "failed", (double)counts->pods[PROBE_FAILED]) &&
	       cJSON_AddNumberToObject(pods, "unsupported",
				       (double)counts->pods[PROBE_UNSUPPORTED]);
}

static bool add_probes(cJSON *message, const struct lifecycle_counts *counts)
{
	cJSON *probes = cJSON_AddArrayToObject(message, "probes");

	for (int type = 0; type < PROBE_TYPES; type++) {
		cJSON *item;

		if (!counts->attached[type])
			continue;
		item = json_append_object(probes);
		if (!cJSON_AddStringToObject(item, "type",
					     probe_type_name((enum probe_type)type)) ||
		    !cJSON_AddNumberToObject(item, "pods", (double)counts->attached[type]))
			return false;
	}
	return probes != NULL;
}

/* Whose a program is: each begins with the name of its probe. NULL: of no probe. */
static const char *probe_of(const struct kernel_program *program)
{
	for (int type = 0; type < PROBE_TYPES; type++) {
		const char *name = probe_type_name((enum probe_type)type);

		if (strncasecmp(program->name, name, strlen(name)) == 0)
			return name;
	}
	return NULL;
}

static bool add_programs(cJSON *message, const struct kernel_objects *objects)
{
	cJSON *programs = cJSON_AddArrayToObject(message, "programs");

	for (size_t i = 0; i < objects->program_count; i++) {
		const struct kernel_program *program = &objects->programs[i];
		cJSON *item = json_append_object(programs);

		if (!cJSON_AddStringToObject(item, "name", program->name) ||
		    !cJSON_AddStringToObject(item, "type", program->type) ||
		    (probe_of(program) &&
		     !cJSON_AddStringToObject(item, "probe", probe_of(program))))
			return false;
	}
	return programs != NULL;
}

static bool add_figures(cJSON *message, const struct node_facts_now *now)
{
	cJSON *memory = cJSON_AddObjectToObject(message, "kernelMemory");
	cJSON *lost = cJSON_AddObjectToObject(message, "lost");
	const uint64_t *events = now->losses.events;

	return cJSON_AddNumberToObject(memory, "programs", (double)now->objects.program_memory) &&
	       cJSON_AddNumberToObject(memory, "maps", (double)now->objects.map_memory) &&
	       cJSON_AddNumberToObject(lost, "rateLimited", (double)events[LOSS_RATE_LIMITED]) &&
	       cJSON_AddNumberToObject(lost, "ringFull", (double)events[LOSS_RING_FULL]) &&
	       cJSON_AddNumberToObject(lost, "tableFull", (double)events[LOSS_TABLE_FULL]) &&
	       cJSON_AddNumberToObject(lost, "decode", (double)events[LOSS_DECODE]) &&
	       cJSON_AddNumberToObject(lost, "export", (double)now->export_lost);
}

cJSON *node_facts_encode(const struct node_facts_fixed *fixed, const struct node_facts_now *now)
{
	cleanup_json cJSON *message = message_new(MESSAGE_NODE);

	if (!add_fixed(message, fixed) || !add_capabilities(message, fixed) ||
	    !add_pods(message, &now->counts) || !add_probes(message, &now->counts) ||
	    !add_programs(message, &now->objects) || !add_figures(message, now))
		return NULL;
	return take_pointer(message);
}
