// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/exec_targets.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "node-agent/probes/exec_levels.h"

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int exec_targets_open(struct exec_targets *targets, const struct exec_programs *programs,
		      struct error *error)
{
	/* The only variable of the kernel half that is not fixed: it has a page of its own. */
	void *page =
		mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, programs->settings, 0);

	if (page == MAP_FAILED)
		return error_set_errno(error, errno, "map the settings of Exec");
	*targets = (struct exec_targets){
		.rows = programs->targets, .counters = programs->counters, .filter = page};
	return 0;
}

void exec_targets_close(struct exec_targets *targets)
{
	if (targets->filter)
		munmap((void *)targets->filter, page_size());
	targets->filter = NULL;
}

struct probe_attachment *exec_targets_find(const struct exec_targets *targets, uint64_t cgroup_id)
{
	struct probe_attachment *attachment;

	HASH_FIND(hh, targets->attachments, &cgroup_id, sizeof(cgroup_id), attachment);
	return attachment;
}

static int write_row(struct exec_targets *targets, const struct probe_attachment *attachment,
		     const struct exec_settings *settings, struct error *error)
{
	struct exec_target row = {.level = attachment->level};

	if (settings->arguments != EXEC_ARGUMENTS_NONE)
		row.wants |= EXEC_WANTS_ARGUMENTS;
	if (settings->failures)
		row.wants |= EXEC_WANTS_FAILURES;
	if (!bpf_map_update_elem(targets->rows, &attachment->cgroup_id, &row, BPF_ANY))
		return 0;
	if (errno == E2BIG)
		return error_set(error, ENOSPC,
				 "watch a cgroup: %d are watched already, no more fit",
				 EXEC_TARGETS_LIMIT);
	return error_set_errno(error, errno, "write a row of the Exec probe's targets");
}

static int write_counters(struct exec_targets *targets, uint64_t cgroup_id, struct error *error)
{
	const struct exec_counters none = {0};

	if (bpf_map_update_elem(targets->counters, &cgroup_id, &none, BPF_ANY))
		return error_set_errno(error, errno, "write a row of the Exec probe's counters");
	return 0;
}

static int write_rows(struct exec_targets *targets, const struct probe_attachment *attachment,
		      struct error *error)
{
	int result = write_counters(targets, attachment->cgroup_id, error);

	if (result < 0)
		return result;
	result = write_row(targets, attachment, &attachment->settings, error);
	if (result < 0)
		bpf_map_delete_elem(targets->counters, &attachment->cgroup_id);
	return result;
}

/* The depths of all targets there are. */
static uint64_t levels_of(const struct exec_targets *targets)
{
	uint64_t levels = 0;

	for (const struct probe_attachment *attachment = targets->attachments; attachment;
	     attachment = attachment->hh.next)
		(void)exec_levels_add(&levels, attachment->level); /* each fitted when it came */
	return levels;
}

static uint64_t filter_word_of(const struct exec_targets *targets, uint32_t word)
{
	uint64_t bits = 0;

	for (const struct probe_attachment *attachment = targets->attachments; attachment;
	     attachment = attachment->hh.next)
		if (exec_filter_word(attachment->cgroup_id) == word)
			bits |= exec_filter_bit(attachment->cgroup_id);
	return bits;
}

/*
 * Lets execs of a cgroup that has come through to its row, or no longer those of one that has gone.
 */
static void update_filter(struct exec_targets *targets, uint64_t cgroup_id)
{
	uint32_t word = exec_filter_word(cgroup_id);

	targets->filter->bits[word] = filter_word_of(targets, word);
	targets->filter->levels = levels_of(targets);
}

static int check_level(const struct exec_targets *targets, unsigned int level, struct error *error)
{
	uint64_t levels = levels_of(targets);

	if (exec_levels_add(&levels, level))
		return 0;
	return error_set(error, ENOSPC,
			 "watch a cgroup at depth %u: Exec watches depths 1 to 255, and %d "
			 "different ones at a time",
			 level, EXEC_LEVELS_LIMIT);
}

int exec_targets_add(struct exec_targets *targets, struct probe_attachment *attachment,
		     struct error *error)
{
	int result = check_level(targets, attachment->level, error);

	if (result < 0)
		return result;
	if (exec_targets_find(targets, attachment->cgroup_id))
		return error_set(error, EEXIST, "watch a cgroup: it is watched already");
	HASH_ADD(hh, targets->attachments, cgroup_id, sizeof(attachment->cgroup_id), attachment);
	if (!is_in_table(attachment))
		return error_set(error, ENOMEM, "watch a cgroup: out of memory");
	result = write_rows(targets, attachment, error);
	if (result < 0) {
		HASH_DEL(targets->attachments, attachment);
		return result;
	}
	update_filter(targets, attachment->cgroup_id);
	return 0;
}

int exec_targets_change(struct exec_targets *targets, struct probe_attachment *attachment,
			const struct exec_settings *settings, struct error *error)
{
	int result = write_row(targets, attachment, settings, error);

	if (result == 0)
		attachment->settings = *settings;
	return result;
}

void exec_targets_stop(struct exec_targets *targets, const struct probe_attachment *attachment)
{
	bpf_map_delete_elem(targets->rows, &attachment->cgroup_id);
}

void exec_targets_remove(struct exec_targets *targets, struct probe_attachment *attachment)
{
	HASH_DELETE(hh, targets->attachments, attachment);
	update_filter(targets, attachment->cgroup_id);
	bpf_map_delete_elem(targets->counters, &attachment->cgroup_id);
}

bool exec_targets_count(const struct exec_targets *targets, struct probe_attachment *attachment)
{
	return !bpf_map_lookup_elem(targets->counters, &attachment->cgroup_id, &attachment->totals);
}
