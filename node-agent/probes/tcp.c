// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The TCP probe: three programs on the target's own cgroup, counters in that cgroup's storage. All
 * targets share the programs and the map.
 */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <utlist.h>

#include "bpf/tcp.h"
#include "bpf/tcp.skel.h"
#include "lib/base/cleanup.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/probes/programs.h"

#define HOOKS 3

static const struct {
	const char *program;
	enum bpf_attach_type type;
} hooks[HOOKS] = {
	{"tcp_received", BPF_CGROUP_INET_INGRESS},
	{"tcp_sent", BPF_CGROUP_INET_EGRESS},
	{"tcp_operation", BPF_CGROUP_SOCK_OPS},
};

struct probe {
	int programs[HOOKS];
	int counters;	      /* the map of all targets' counters */
	uint32_t last_target; /* the number given last; none is given twice */
	int cpus;
	struct probe_attachment *attachments; /* a list */
	struct tcp_counters *per_cpu; /* room for one target's counters as the kernel gives them */
};

struct probe_attachment {
	uint64_t cgroup_id;
	int links[HOOKS];
	struct tcp_counters totals; /* over all CPUs, when last read */
	struct tcp_counters added;  /* of these, what the series have */
	struct series_owner *series;
	struct probe_attachment *prev, *next;
};

static void close_all(int descriptors[HOOKS])
{
	for (int i = 0; i < HOOKS; i++)
		programs_close(&descriptors[i]);
}

static struct probe *tcp_close(struct probe *probe)
{
	if (!probe)
		return NULL;
	close_all(probe->programs);
	programs_close(&probe->counters);
	free(probe->per_cpu);
	free(probe);
	return NULL;
}

static struct probe *probe_new(void)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	for (int i = 0; i < HOOKS; i++)
		probe->programs[i] = -1;
	probe->counters = -1;
	probe->cpus = libbpf_num_possible_cpus();
	if (probe->cpus > 0)
		probe->per_cpu = calloc((size_t)probe->cpus, sizeof(*probe->per_cpu));
	return probe->per_cpu ? probe : tcp_close(probe);
}

/*
 * Keeps the descriptors only: what libbpf holds besides is of no use once the programs are loaded.
 */
static int take_descriptors(struct probe *probe, const struct bpf_object *object)
{
	probe->counters = programs_take_map(object, "tcp_targets");
	if (probe->counters < 0)
		return probe->counters;
	for (int i = 0; i < HOOKS; i++) {
		probe->programs[i] = programs_take_program(object, hooks[i].program);
		if (probe->programs[i] < 0)
			return probe->programs[i];
	}
	return 0;
}

static int load(struct probe *probe, struct error *error)
{
	struct tcp_bpf *skeleton = tcp_bpf__open();
	int result;

	if (!skeleton)
		return error_set_errno(error, errno, "open the programs of TCP");
	result = programs_load(skeleton->obj, "TCP", error);
	if (!result) {
		result = take_descriptors(probe, skeleton->obj);
		if (result < 0)
			error_set_errno(error, -result, "keep the programs of TCP");
	}
	tcp_bpf__destroy(skeleton);
	return result;
}

static int tcp_open(const struct probe_host *host, struct probe **ret_probe, struct error *error)
{
	struct probe *probe = probe_new();
	int result;

	(void)host; /* nothing is emitted: this probe only counts */
	if (!probe)
		return error_set(error, ENOMEM, "open the TCP probe: no memory");
	result = load(probe, error);
	if (result < 0) {
		tcp_close(probe);
		return result;
	}
	*ret_probe = probe;
	return 0;
}

/*
 * Writes a target's number, and zero to all its counters, for all CPUs. A number of 0 stops the
 * counting. -ENOENT as long as nothing has ever been attached to the cgroup: the storage comes with
 * the first attachment and goes with the cgroup.
 */
static int set_target(struct probe *probe, uint64_t cgroup_id, uint32_t target)
{
	for (int i = 0; i < probe->cpus; i++)
		probe->per_cpu[i] = (struct tcp_counters){.target = target};
	return bpf_map_update_elem(probe->counters, &cgroup_id, probe->per_cpu, BPF_ANY) ? -errno
											 : 0;
}

static int attach_programs(struct probe *probe, int cgroup, struct probe_attachment *attachment,
			   struct error *error)
{
	int result = 0;

	for (int i = 0; i < HOOKS && !result; i++)
		result = programs_attach_cgroup(probe->programs[i], cgroup, hooks[i].type,
						&attachment->links[i], error);
	return result;
}

/* Stops the programs and the counting; what was counted until then is lost. */
static void stop(struct probe *probe, struct probe_attachment *attachment)
{
	close_all(attachment->links);
	(void)set_target(probe, attachment->cgroup_id,
			 0); /* fails when the cgroup has gone: well */
	free(attachment);
}

static struct probe_attachment *attachment_new(uint64_t cgroup_id)
{
	struct probe_attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	attachment->cgroup_id = cgroup_id;
	for (int i = 0; i < HOOKS; i++)
		attachment->links[i] = -1;
	return attachment;
}

/* The programs count nothing until the target has its number, so all hooks begin as one. */
static int attach_and_start(struct probe *probe, const struct probe_target *target,
			    struct probe_attachment *attachment, struct error *error)
{
	cleanup_close int cgroup = -1;
	int result = programs_open_cgroup(target, &cgroup, error);

	if (result < 0)
		return result;
	result = attach_programs(probe, cgroup, attachment, error);
	if (result < 0)
		return error_wrap(error, result, "%s", target->path);
	result = set_target(probe, target->cgroup_id, ++probe->last_target);
	if (result < 0)
		return error_set_errno(error, -result, "start the counters of %s", target->path);
	return 0;
}

static int tcp_attach(struct probe *probe, const struct probe_target *target,
		      const union probe_settings *settings,
		      struct probe_attachment **ret_attachment, struct error *error)
{
	struct probe_attachment *attachment = attachment_new(target->cgroup_id);
	int result;

	(void)settings; /* TCP has none */
	if (!attachment)
		return error_set(error, ENOMEM, "attach TCP: no memory");
	result = attach_and_start(probe, target, attachment, error);
	if (result < 0) {
		stop(probe, attachment);
		return result;
	}
	attachment->series = target->series;
	DL_APPEND(probe->attachments, attachment);
	*ret_attachment = attachment;
	return 0;
}

static int tcp_configure(struct probe *probe, struct probe_attachment *attachment,
			 const union probe_settings *settings, struct error *error)
{
	(void)probe, (void)attachment, (void)settings, (void)error; /* TCP has no settings */
	return 0;
}

static void add_counters(struct tcp_counters *sum, const struct tcp_counters *counters)
{
	sum->opened += counters->opened;
	sum->accepted += counters->accepted;
	sum->adopted += counters->adopted;
	sum->closed += counters->closed;
	sum->failed += counters->failed;
	sum->reset += counters->reset;
	sum->sent_bytes += counters->sent_bytes;
	sum->received_bytes += counters->received_bytes;
	sum->retransmitted_segments += counters->retransmitted_segments;
	sum->srtt_sum += counters->srtt_sum;
	for (int i = 0; i < HISTOGRAM_SLOTS; i++)
		sum->srtt[i] += counters->srtt[i];
}

/* Where the cgroup has gone, the totals stay as they were. */
static void read_totals(struct probe *probe, struct probe_attachment *attachment)
{
	struct tcp_counters totals = {0};

	if (bpf_map_lookup_elem(probe->counters, &attachment->cgroup_id, probe->per_cpu))
		return;
	for (int i = 0; i < probe->cpus; i++)
		add_counters(&totals, &probe->per_cpu[i]);
	attachment->totals = totals;
}

enum {
	OPENED,
	ACCEPTED,
	FAILED,
	RESET,
	OPEN,
	SENT,
	RECEIVED,
	RETRANSMITTED,
	SRTT,
};

/* Bounds at every power of two, 2^5 to 2^24 microseconds: 32 us to 17 s. */
#define FIRST_BOUND 5
#define BOUNDS	    20

static const double srtt_bounds[BOUNDS] = {
	0.000032, 0.000064, 0.000128, 0.000256, 0.000512, 0.001024,  0.002048,
	0.004096, 0.008192, 0.016384, 0.032768, 0.065536, 0.131072,  0.262144,
	0.524288, 1.048576, 2.097152, 4.194304, 8.388608, 16.777216,
};

static const struct series_family families[] = {
	[OPENED] = {"skep_tcp_connections_opened_total", "Connections that the pods have opened.",
		    METRIC_COUNTER, 1, NULL, 0},
	[ACCEPTED] = {"skep_tcp_connections_accepted_total",
		      "Connections that the pods have accepted.", METRIC_COUNTER, 1, NULL, 0},
	[FAILED] = {"skep_tcp_connections_failed_total",
		    "Connections that the pods tried to open in vain.", METRIC_COUNTER, 1, NULL, 0},
	[RESET] = {"skep_tcp_connections_reset_total", "Connections that either side has reset.",
		   METRIC_COUNTER, 1, NULL, 0},
	[OPEN] = {"skep_tcp_connections_open", "Connections of the pods that are open.",
		  METRIC_GAUGE, 1, NULL, 0},
	[SENT] = {"skep_tcp_sent_bytes_total",
		  "Payload that the pods have sent, retransmissions included.", METRIC_COUNTER, 1,
		  NULL, 0},
	[RECEIVED] = {"skep_tcp_received_bytes_total", "Payload that has reached the pods.",
		      METRIC_COUNTER, 1, NULL, 0},
	[RETRANSMITTED] = {"skep_tcp_retransmitted_segments_total",
			   "Segments that the pods have sent again.", METRIC_COUNTER, 1, NULL, 0},
	[SRTT] = {"skep_tcp_srtt_seconds",
		  "Smoothed round-trip time of connections, looked at while they send or receive.",
		  METRIC_HISTOGRAM, 1e-6, srtt_bounds, BOUNDS},
};
static const struct series_layout layout = {families, sizeof(families) / sizeof(families[0])};

/* CPUs are read one after the other, so an end may be seen whose beginning is not. */
static uint64_t open_now(const struct tcp_counters *totals)
{
	uint64_t begun = totals->opened + totals->accepted + totals->adopted;

	return begun > totals->closed ? begun - totals->closed : 0;
}

/* The bound below which a slot of the kernel's histogram lies; BOUNDS when it is above them all. */
static size_t bound_of_slot(unsigned int slot)
{
	unsigned int power = slot ? (slot - 1) / 4 + 2 : 0;

	if (power <= FIRST_BOUND)
		return 0;
	return power - FIRST_BOUND < BOUNDS ? power - FIRST_BOUND : BOUNDS;
}

static void add_srtt(struct series_row *row, const struct tcp_counters *totals,
		     const struct tcp_counters *added)
{
	uint64_t counts[BOUNDS + 1] = {0};

	for (unsigned int slot = 0; slot < HISTOGRAM_SLOTS; slot++)
		counts[bound_of_slot(slot)] += totals->srtt[slot] - added->srtt[slot];
	series_add_histogram(row, SRTT, counts, totals->srtt_sum - added->srtt_sum);
}

static void add_counts(struct probe *probe, struct probe_attachment *attachment)
{
	const struct tcp_counters *totals = &attachment->totals, *added = &attachment->added;
	struct series_row *row = series_row(attachment->series, &layout, NULL, 0);

	read_totals(probe, attachment);
	series_add(row, OPENED, (int64_t)(totals->opened - added->opened));
	series_add(row, ACCEPTED, (int64_t)(totals->accepted - added->accepted));
	series_add(row, FAILED, (int64_t)(totals->failed - added->failed));
	series_add(row, RESET, (int64_t)(totals->reset - added->reset));
	series_add(row, OPEN, (int64_t)(open_now(totals) - open_now(added)));
	series_add(row, SENT, (int64_t)(totals->sent_bytes - added->sent_bytes));
	series_add(row, RECEIVED, (int64_t)(totals->received_bytes - added->received_bytes));
	series_add(row, RETRANSMITTED,
		   (int64_t)(totals->retransmitted_segments - added->retransmitted_segments));
	add_srtt(row, totals, added);
	attachment->added = *totals;
}

static void tcp_read(struct probe *probe)
{
	struct probe_attachment *attachment;

	DL_FOREACH(probe->attachments, attachment)
		add_counts(probe, attachment);
}

/* Its open connections are nobody's any more. */
static struct probe_attachment *tcp_detach(struct probe *probe, struct probe_attachment *attachment)
{
	if (!attachment)
		return NULL;
	close_all(attachment->links);
	add_counts(probe, attachment);
	series_add(series_row(attachment->series, &layout, NULL, 0), OPEN,
		   -(int64_t)open_now(&attachment->added));
	DL_DELETE(probe->attachments, attachment);
	stop(probe, attachment);
	return NULL;
}

const struct probe_kind tcp_probe_kind = {
	.type = PROBE_TCP,
	.open = tcp_open,
	.close = tcp_close,
	.attach = tcp_attach,
	.configure = tcp_configure,
	.detach = tcp_detach,
	.read = tcp_read,
};
