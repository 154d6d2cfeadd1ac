// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/exec_programs.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "bpf/exec.h"
#include "bpf/exec.skel.h"
#include "lib/base/log.h"
#include "node-agent/probes/kernel_layout.h"
#include "node-agent/probes/programs.h"

/* In the order of struct exec_layout. */
static const struct kernel_field layout_fields[] = {
	{"task_struct", "real_parent"}, {"task_struct", "tgid"},  {"task_struct", "mm"},
	{"mm_struct", "arg_start"},	{"mm_struct", "arg_end"}, {"linux_binprm", "filename"},
};

#define LAYOUT_FIELDS (sizeof(layout_fields) / sizeof(layout_fields[0]))
_Static_assert(sizeof(struct exec_layout) == LAYOUT_FIELDS * sizeof(uint32_t), "one for one");

static void set_layout(struct exec_bpf *skeleton)
{
	uint32_t offsets[LAYOUT_FIELDS];
	struct exec_layout layout;

	if (kernel_layout_find(KERNEL_BTF, layout_fields, LAYOUT_FIELDS, offsets) < LAYOUT_FIELDS)
		log_warn("%s does not tell all that Exec reads: events of exec will lack "
			 "arguments, parent or path; a kernel with CONFIG_DEBUG_INFO_BTF has it",
			 KERNEL_BTF);
	memcpy(&layout, offsets, sizeof(layout));
	memcpy((void *)&skeleton->rodata->layout, &layout, sizeof(layout));
}

/*
 * Keeps the descriptors only: what libbpf holds besides is of no use once the programs are loaded.
 */
static int take_descriptors(struct exec_programs *programs, const struct exec_bpf *skeleton)
{
	static const char *const failed[EXEC_CALLS] = {"execve_returned", "execveat_returned"};
	const struct bpf_object *object = skeleton->obj;

	programs->succeeded = programs_take_program(object, "exec_succeeded");
	for (int i = 0; i < EXEC_CALLS; i++) {
		programs->failed[i] = programs_take_program(object, failed[i]);
		if (programs->failed[i] < 0)
			return programs->failed[i];
	}
	programs->targets = programs_take_map(object, "exec_targets");
	programs->counters = programs_take_map(object, "exec_counts");
	programs->records = programs_take_map(object, "exec_records");
	programs->settings = programs_take_map(object, bpf_map__name(skeleton->maps.bss));
	if (programs->succeeded < 0 || programs->targets < 0 || programs->counters < 0 ||
	    programs->records < 0 || programs->settings < 0)
		return -EMFILE;
	return 0;
}

int exec_programs_load(struct exec_programs *programs, struct error *error)
{
	struct exec_bpf *skeleton = exec_bpf__open();
	int result;

	if (!skeleton)
		return error_set_errno(error, errno, "open the programs of Exec");
	set_layout(skeleton);
	result = programs_load(skeleton->obj, "Exec", error);
	if (!result) {
		result = take_descriptors(programs, skeleton);
		if (result < 0)
			error_set_errno(error, -result, "keep the programs of Exec");
	}
	exec_bpf__destroy(skeleton);
	return result;
}

void exec_programs_close(struct exec_programs *programs)
{
	programs_close(&programs->succeeded);
	for (int i = 0; i < EXEC_CALLS; i++)
		programs_close(&programs->failed[i]);
	programs_close(&programs->targets);
	programs_close(&programs->counters);
	programs_close(&programs->records);
	programs_close(&programs->settings);
}
