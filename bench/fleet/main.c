// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The operator with a large cluster: a stand-in for the API server (or a real one, which is filled)
 * and agents that speak the real protocol, all in this process, and the real skep-operator in
 * another. Prints what it took.
 *
 * Times are taken on this side, so those of agents include what this process needs to play them.
 */

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/fleet/agents.h"
#include "bench/fleet/api.h"
#include "bench/fleet/folder.h"
#include "bench/fleet/process.h"
#include "bench/fleet/real_api.h"
#include "bench/fleet/stand_in.h"
#include "bench/fleet/world.h"
#include "lib/base/log.h"
#include "lib/base/options.h"

#define PATIENCE_MS	  600000
#define SETTLED_MS	  1500 /* without a written status: all are written */
#define LOOK_ALL_MS	  1000 /* at every pod */
#define LOOK_MS		  20
#define EDITS_MOST	  200
#define EDITS_EVERYWHERE  50	/* of a policy with a pod on every node */
#define TELL_MS		  10000 /* between two words on what goes on */
#define STEADY_MS	  60000
#define HEARTBEAT_SECONDS 300 /* between two of one node, as kubelets do it */
#define CHURN_PER_SECOND  20  /* pods that are replaced */
#define ROLLING_PODS	  5000

struct bench {
	uv_loop_t loop;
	uv_timer_t tick; /* makes the loop look at the time */
	struct world world;
	struct api *api;
	const char *server;   /* folder of a real API server, or "" */
	char kubeconfig[256]; /* the operator's */
	struct agents *agents;
	struct process operator;
	const char *program;
	char folder[FOLDER_SIZE];
	uint64_t looked; /* is_time_to_look() */
};

static uint64_t now_ms(struct bench *bench)
{
	uv_update_time(&bench->loop);
	return uv_now(&bench->loop);
}

static void on_tick(uv_timer_t *tick)
{
	(void)tick; /* the loop's turn is all that is wanted */
}

/* Runs the loop until `condition` holds, which is looked at after each of its turns. */
#define run_until(bench, what, condition)                                                          \
	do {                                                                                       \
		uint64_t limit_ = now_ms(bench) + PATIENCE_MS;                                     \
                                                                                                   \
		while (!(condition)) {                                                             \
			uv_run(&(bench)->loop, UV_RUN_ONCE);                                       \
			if (now_ms(bench) > limit_) {                                              \
				fprintf(stderr, "fleet: waited in vain: %s\n", what);              \
				exit(EXIT_FAILURE);                                                \
			}                                                                          \
		}                                                                                  \
	} while (0)

/*
 * Whether to look again at what is costly to look at. Looking at each turn would take the time away
 * from the agents that this process plays.
 */
static bool is_time_to_look(struct bench *bench, uint64_t interval_ms)
{
	if (now_ms(bench) - bench->looked < interval_ms)
		return false;
	bench->looked = now_ms(bench);
	return true;
}

/* Rows of the table. */

__attribute__((format(printf, 2, 3))) static void row(const char *what, const char *format, ...)
{
	va_list arguments;

	printf("%-58s ", what);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
}

/* What happened between two moments. */
struct figures {
	uint64_t counts[API_COUNTS];
	uint64_t cpu_ms, at_ms;
	double compiled;
	struct agents_totals agents;
};

static struct figures figures_now(struct bench *bench)
{
	struct figures figures = {
		.cpu_ms = process_cpu_ms(&bench->operator),
		.at_ms = now_ms(bench),
		.compiled = process_metric(&bench->operator, "skep_operator_pods_compiled_total"),
	};

	memcpy(figures.counts, bench->api->counts, sizeof(figures.counts));
	if (bench->agents)
		figures.agents = agents_totals(bench->agents);
	return figures;
}

static uint64_t requests_between(const struct figures *from, const struct figures *to)
{
	uint64_t sum = 0;

	for (int i = 0; i < API_COUNTS; i++)
		sum += to->counts[i] - from->counts[i];
	return sum;
}

/* Starting the operator. */

static bool operator_is_up(struct bench *bench)
{
	return is_time_to_look(bench, LOOK_MS) && process_is_ready(&bench->operator);
}

/* Starts it and returns how long its lists took, in ms. */
static uint64_t start_operator(struct bench *bench)
{
	uint64_t start = now_ms(bench);

	process_start(&bench->operator, bench->program, bench->folder, bench->kubeconfig);
	run_until(bench, "the operator is ready", operator_is_up(bench));
	return now_ms(bench) - start;
}

static bool is_settled(struct bench *bench)
{
	return now_ms(bench) - bench->api->last_status_ms > SETTLED_MS;
}

static uint64_t pods_of(const struct bench *bench)
{
	return bench->world.sizes.counts[WORLD_PODS];
}

static void tell_lists(struct bench *bench, const char *what, uint64_t ms)
{
	row(what, "%" PRIu64 " ms, %" PRIu64 " ms of the operator's CPU", ms,
	    process_cpu_ms(&bench->operator));
}

/* It compiles when it leads, which is a moment after it is ready. */
static bool all_are_compiled(struct bench *bench)
{
	return process_metric(&bench->operator, "skep_operator_pods_compiled_total") >=
	       (double)pods_of(bench);
}

/* A real API server takes some ms for each change; it ends the program where it refuses one. */
static void catch_up(struct bench *bench)
{
	while (bench->api->behind) {
		if (is_time_to_look(bench, TELL_MS))
			fprintf(stderr, "fleet: %" PRIu64 " changes to go\n", bench->api->behind);
		uv_run(&bench->loop, UV_RUN_ONCE);
	}
}

static void reveal(struct bench *bench, enum world_kind kind)
{
	uint64_t start = now_ms(bench);
	uint32_t count = bench->world.sizes.counts[kind];

	world_reveal(&bench->world, kind);
	catch_up(bench);
	if (*bench->server)
		row("  made", "%u %s in %" PRIu64 " s", count, world_kind_name(kind),
		    (now_ms(bench) - start) / 1000);
}

/* Memory: nothing, then pods, then policies on all of them. */
static void measure_memory(struct bench *bench)
{
	uint64_t empty, pods, policies;

	start_operator(bench);
	empty = process_rss(&bench->operator);
	process_kill(&bench->operator);

	for (int kind = WORLD_NAMESPACES; kind != WORLD_POLICIES; kind--)
		reveal(bench, (enum world_kind)kind);
	tell_lists(bench, "first lists, without policies", start_operator(bench));
	pods = process_rss(&bench->operator);
	row("memory, nothing in the cluster", "%.1f MiB", (double)empty / 1024);
	row("memory, no policies", "%.1f MiB, %.0f B a pod", (double)pods / 1024,
	    (double)(pods - empty) * 1024 / (double)pods_of(bench));
	row("  at most", "%.1f MiB", (double)process_peak(&bench->operator) / 1024);
	process_kill(&bench->operator);

	reveal(bench, WORLD_POLICIES);
	tell_lists(bench, "first lists, with policies", start_operator(bench));
	run_until(bench, "all pods are compiled",
		  is_time_to_look(bench, LOOK_ALL_MS) && all_are_compiled(bench));
	policies = process_rss(&bench->operator);
	row("memory, all pods selected, no agents", "%.1f MiB, %.0f B a pod",
	    (double)policies / 1024, (double)(policies - empty) * 1024 / (double)pods_of(bench));
	process_kill(&bench->operator);
}

static bool reports_are_written(struct bench *bench)
{
	return now_ms(bench) - bench->api->last_report_ms > SETTLED_MS;
}

static void tell_last(const char *what, uint64_t last, uint64_t start)
{
	if (last < start)
		row(what, "none: all stay as they were");
	else
		row(what, "%" PRIu64 " ms", last - start);
}

/* All agents come to an operator that begins. */
static void measure_begin(struct bench *bench, const char *what)
{
	uint64_t start = now_ms(bench), listed = start_operator(bench);
	uint64_t cpu = process_cpu_ms(&bench->operator);
	uint32_t nodes = bench->world.sizes.counts[WORLD_NODES];
	uint64_t before = bench->agents ? agents_totals(bench->agents).snapshots : 0;
	struct agents_totals totals;

	run_until(bench, "the operator has published its CA", bench->api->has_ca);
	if (!bench->agents)
		bench->agents = agents_new(&bench->loop, &bench->world, bench->folder,
					   bench->operator.agent_port);
	agents_wake(bench->agents);
	run_until(bench, "all agents have their selections",
		  agents_totals(bench->agents).snapshots >= before + nodes &&
			  agents_totals(bench->agents).answered == nodes);
	totals = agents_totals(bench->agents);
	run_until(bench, "statuses are written", is_settled(bench));
	run_until(bench, "reports of nodes are written", reports_are_written(bench));
	printf("\n%s\n", what);
	row("  lists read", "%" PRIu64 " ms, %" PRIu64 " ms of the operator's CPU", listed, cpu);
	row("  last agent has its selection", "%" PRIu64 " ms", totals.last_ms - start);
	tell_last("  last status written", bench->api->last_status_ms, start);
	tell_last("  last report of a node written", bench->api->last_report_ms, start);
	row("  CPU of the operator", "%" PRIu64 " ms", process_cpu_ms(&bench->operator));
	row("  memory", "%.1f MiB, at most %.1f MiB", (double)process_rss(&bench->operator) / 1024,
	    (double)process_peak(&bench->operator) / 1024);
	row("  pods observed otherwise than wanted", "%" PRIu64, agents_wrong(bench->agents));
}

/* Edits. */

static int compare_ms(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void tell_times(const char *what, uint64_t times[], uint32_t count)
{
	qsort(times, count, sizeof(*times), compare_ms);
	row(what, "p50 %" PRIu64 " ms, p99 %" PRIu64 " ms, at most %" PRIu64 " ms",
	    times[count / 2], times[count * 99 / 100], times[count - 1]);
}

static void edit(struct bench *bench, uint32_t policy, uint64_t *ret_agents, uint64_t *ret_status)
{
	uint64_t upserts = agents_totals(bench->agents).upserts, start = now_ms(bench);

	world_edit_policy(&bench->world, policy);
	run_until(bench, "an edit reaches all agents concerned",
		  agents_totals(bench->agents).upserts - upserts >=
				  world_selected(&bench->world, policy) &&
			  agents_lacking(bench->agents, policy) == 0);
	*ret_agents = now_ms(bench) - start;
	run_until(bench, "an edit is acknowledged", world_policy_is_ready(&bench->world, policy));
	*ret_status = now_ms(bench) - start;
}

/* `step` leads from one policy to the next; 0: always the same one. */
static void measure_edits(struct bench *bench, const char *what, uint32_t policy, uint32_t step,
			  uint32_t count)
{
	uint32_t deployments = bench->world.sizes.counts[WORLD_POLICIES] - 1;
	uint64_t agents[EDITS_MOST], statuses[EDITS_MOST];
	struct figures before, after;

	run_until(bench, "statuses are written", is_settled(bench));
	before = figures_now(bench);
	for (uint32_t i = 0; i < count; i++) {
		edit(bench, policy, &agents[i], &statuses[i]);
		if (step)
			policy = (policy + step) % deployments;
	}
	run_until(bench, "statuses are written", is_settled(bench));
	after = figures_now(bench);
	printf("\n%s\n", what);
	row("  edits, pods selected", "%u, %u", count, world_selected(&bench->world, policy));
	tell_times("  until the last agent has carried it out", agents, count);
	tell_times("  until the status says so", statuses, count);
	row("  pods compiled for one edit", "%.1f", (after.compiled - before.compiled) / count);
	row("  statuses written for one edit", "%.1f",
	    (double)(after.counts[API_STATUSES] - before.counts[API_STATUSES]) / count);
	row("  CPU of the operator for one edit", "%.1f ms",
	    (double)(after.cpu_ms - before.cpu_ms) / count);
}

/* Times in which pods come and go, or not. */

/* One more heartbeat of some node for every `interval`, as far as time has gone on. */
static void beat(struct bench *bench, uint64_t since, uint32_t *beaten)
{
	uint32_t nodes = bench->world.sizes.counts[WORLD_NODES];
	uint64_t due = (now_ms(bench) - since) * nodes / (HEARTBEAT_SECONDS * 1000);

	while (*beaten < due)
		world_beat_node(&bench->world, (*beaten)++ % nodes);
}

/* The life of a pod's successor, one step at a time: five changes, as a Deployment makes them. */
static void replace_step(struct world *world, uint32_t pod, int step)
{
	static const enum world_stage stages[] = {STAGE_ENDING, STAGE_ABSENT, STAGE_PENDING,
						  STAGE_SCHEDULED, STAGE_RUNNING};

	world_move_pod(world, pod, stages[step]);
}

#define REPLACE_STEPS 5

static uint32_t some_pod(const struct bench *bench, uint32_t turn)
{
	uint32_t first = 2 * bench->world.sizes.counts[WORLD_NODES];

	return first + (uint32_t)((uint64_t)turn * 7919 % (pods_of(bench) - first));
}

static void churn(struct bench *bench, uint64_t since, uint32_t *replaced)
{
	uint64_t due = (now_ms(bench) - since) * CHURN_PER_SECOND / 1000;

	for (; *replaced < due; (*replaced)++)
		for (int step = 0; step < REPLACE_STEPS; step++)
			replace_step(&bench->world, some_pod(bench, *replaced), step);
}

static void measure_time(struct bench *bench, const char *what, bool churning)
{
	uint32_t beaten = 0, replaced = 0;
	struct figures before, after;
	uint64_t start;
	double minutes;

	run_until(bench, "statuses are written", is_settled(bench));
	before = figures_now(bench);
	start = before.at_ms;
	while (now_ms(bench) - start < STEADY_MS) {
		beat(bench, start, &beaten);
		if (churning)
			churn(bench, start, &replaced);
		uv_run(&bench->loop, UV_RUN_ONCE);
	}
	catch_up(bench);
	after = figures_now(bench);
	minutes = (double)(after.at_ms - before.at_ms) / 60000;
	printf("\n%s\n", what);
	row("  requests to the API server a minute", "%.0f",
	    (double)requests_between(&before, &after) / minutes);
	row("  of these, statuses", "%.0f",
	    (double)(after.counts[API_STATUSES] - before.counts[API_STATUSES]) / minutes);
	row("  of these, reports of nodes", "%.0f",
	    (double)(after.counts[API_NODE_REPORTS] - before.counts[API_NODE_REPORTS]) / minutes);
	row("  of these, reviews of tokens", "%.0f",
	    (double)(after.counts[API_REVIEWS] - before.counts[API_REVIEWS]) / minutes);
	row("  CPU of the operator", "%.2f %%",
	    (double)(after.cpu_ms - before.cpu_ms) * 100 / (double)(after.at_ms - before.at_ms));
	if (churning) {
		row("  pods replaced", "%u", replaced);
		row("  pods compiled for one", "%.2f",
		    (after.compiled - before.compiled) / replaced);
		row("  statuses written for one", "%.2f",
		    (double)(after.counts[API_STATUSES] - before.counts[API_STATUSES]) / replaced);
		run_until(bench, "agents follow",
			  is_time_to_look(bench, LOOK_ALL_MS) && agents_wrong(bench->agents) == 0);
	}
}

/* Whole Deployments are replaced as fast as the operator reads it. */
static void measure_rolling(struct bench *bench)
{
	uint32_t first = 2 * bench->world.sizes.counts[WORLD_NODES];
	uint32_t deployments = bench->world.sizes.counts[WORLD_POLICIES] - 1;
	uint32_t each = world_selected(&bench->world, 0);
	uint32_t wanted =
		ROLLING_PODS < pods_of(bench) / 4 ? ROLLING_PODS : (uint32_t)(pods_of(bench) / 4);
	uint32_t replaced = 0;
	struct figures before, after;
	uint64_t start, made;

	run_until(bench, "statuses are written", is_settled(bench));
	before = figures_now(bench);
	start = now_ms(bench);
	for (uint32_t policy = 0; replaced < wanted; policy++)
		for (uint32_t i = 0; i + 1 < each && replaced < wanted; i++, replaced++)
			for (int step = 0; step < REPLACE_STEPS; step++)
				replace_step(&bench->world, first + policy + i * deployments, step);
	catch_up(bench);
	made = now_ms(bench) - start;
	run_until(bench, "agents follow",
		  is_time_to_look(bench, LOOK_ALL_MS) && agents_wrong(bench->agents) == 0);
	after = figures_now(bench);
	printf("\nrolling restart of %u pods, all at once\n", replaced);
	row("  until the API server has all changes", "%" PRIu64 " ms", made);
	row("  until the last agent has followed", "%" PRIu64 " ms", after.agents.last_ms - start);
	run_until(bench, "statuses are written", is_settled(bench));
	after = figures_now(bench);
	tell_last("  last status written", bench->api->last_status_ms, start);
	row("  connections of agents lost", "%" PRIu64,
	    after.agents.disconnections - before.agents.disconnections);
	row("  watch events", "%u", replaced * REPLACE_STEPS);
	row("  pages of lists that were read again", "%" PRIu64,
	    after.counts[API_PAGES] - before.counts[API_PAGES]);
	row("  pods compiled", "%.0f", after.compiled - before.compiled);
	row("  messages to agents", "%" PRIu64, after.agents.deltas - before.agents.deltas);
	row("  statuses written", "%" PRIu64,
	    after.counts[API_STATUSES] - before.counts[API_STATUSES]);
	row("  CPU of the operator", "%" PRIu64 " ms", after.cpu_ms - before.cpu_ms);
}

static void measure_all(struct bench *bench)
{
	uint32_t everywhere = bench->world.sizes.counts[WORLD_POLICIES] - 1;

	measure_memory(bench);
	measure_begin(bench, "start, all agents come at once");
	measure_edits(bench, "edits of policies of a Deployment", 0, 37, EDITS_MOST);
	measure_edits(bench, "edits of a policy on every node", everywhere, 0, EDITS_EVERYWHERE);
	measure_time(bench, "a minute in which only nodes' heartbeats come", false);
	measure_time(bench, "a minute in which pods are replaced besides", true);
	measure_rolling(bench);
	process_kill(&bench->operator);
	agents_rest(bench->agents);
	measure_begin(bench, "operator killed and started anew");
}

/* Options and beginning. */

enum option_name {
	OPTION_OPERATOR,
	OPTION_NODES,
	OPTION_PODS,
	OPTION_POLICIES,
	OPTION_SERVER,
	OPTION_COUNT
};

static const struct option_row rows[OPTION_COUNT] = {
	[OPTION_OPERATOR] = {"operator", "FILE", "build/skep-operator", "the program to measure"},
	[OPTION_NODES] = {"nodes", "N", "5000", "each with an agent"},
	[OPTION_PODS] = {"pods", "N", "150000", "on all nodes together, three at least on each"},
	[OPTION_POLICIES] = {"policies", "N", "1000", "two at least"},
	[OPTION_SERVER] =
		{"server", "FOLDER", "",
		 "a real API server in place of the stand-in, without nodes yet; the folder "
		 "has admin.kubeconfig, operator.kubeconfig and audit.log, as "
		 "bench/fleet_real.py makes it"},
};

static const struct option_table table = {
	.intro = "fleet: measures the operator with a cluster that exists on paper, or in an API "
		 "server.\n\n",
	.rows = rows,
	.count = OPTION_COUNT,
};

static void read_options(int argc, char *argv[], struct bench *bench)
{
	const char *values[OPTION_COUNT];
	enum option_question question;
	struct world_sizes sizes = {0};
	struct error error;

	if (options_read(&table, argc, argv, values, &question, &error) < 0) {
		fprintf(stderr, "fleet: %s\n", error.message);
		exit(2);
	}
	if (question) {
		options_print_help(&table, stdout);
		exit(EXIT_SUCCESS);
	}
	bench->program = values[OPTION_OPERATOR];
	bench->server = values[OPTION_SERVER];
	sizes.counts[WORLD_NODES] = (uint32_t)strtoul(values[OPTION_NODES], NULL, 10);
	sizes.counts[WORLD_PODS] = (uint32_t)strtoul(values[OPTION_PODS], NULL, 10);
	sizes.counts[WORLD_POLICIES] = (uint32_t)strtoul(values[OPTION_POLICIES], NULL, 10);
	if (!sizes.counts[WORLD_NODES] || sizes.counts[WORLD_POLICIES] < 2 ||
	    sizes.counts[WORLD_PODS] < 3 * sizes.counts[WORLD_NODES]) {
		fprintf(stderr, "fleet: too few nodes, pods or policies; see --help\n");
		exit(2);
	}
	world_make(&bench->world, &sizes);
}

static void begin(struct bench *bench)
{
	struct rlimit files = {0};

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files); /* a limit that stands may be high enough */
	signal(SIGPIPE, SIG_IGN);	  /* an operator that is killed leaves its connections so */
	log_set_level(LOG_LEVEL_ERROR);
	folder_make(bench->folder);
	uv_loop_init(&bench->loop);
	uv_timer_init(&bench->loop, &bench->tick);
	uv_timer_start(&bench->tick, on_tick, 5, 5);
	if (*bench->server) {
		bench->api =
			real_api_open(&bench->loop, &bench->world, bench->folder, bench->server);
		snprintf(bench->kubeconfig, sizeof(bench->kubeconfig), "%s/operator.kubeconfig",
			 bench->server);
	} else {
		bench->api = stand_in_open(&bench->loop, &bench->world, bench->folder);
		snprintf(bench->kubeconfig, sizeof(bench->kubeconfig), "%s/kubeconfig",
			 bench->folder);
	}
}

int main(int argc, char *argv[])
{
	static struct bench bench;

	read_options(argc, argv, &bench);
	begin(&bench);
	row("nodes, pods, policies", "%u, %u, %u", bench.world.sizes.counts[WORLD_NODES],
	    bench.world.sizes.counts[WORLD_PODS], bench.world.sizes.counts[WORLD_POLICIES]);
	measure_all(&bench);
	process_kill(&bench.operator);
	folder_remove(bench.folder);
	return EXIT_SUCCESS;
}
