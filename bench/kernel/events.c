// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What one event costs in the kernel: the run time of each program by the kernel's own statistics
 * (BPF_ENABLE_STATS), less that of an empty program at the same hook in the same run; the median of
 * several rounds. Needs root and cgroup v2; makes two cgroups and removes them.
 *
 * usage: events [--json]
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "lib/base/cleanup.h"
#include "lib/link/selection.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/series/store.h"

#define ROUNDS	     5
#define REQUESTS     30000
#define REQUEST_SIZE 100
#define CONNECTIONS  2000
#define BULK_SIZE    (1ULL << 30)
#define EXECS	     500
#define LOOKUPS	     100 /* fewer than the rate limit lets pass at once */
#define LOOKUP_SIZE  40
#define DNS_PAUSE_US 200000 /* in which the bucket is filled again */
#define MESSAGE_SIZE 256

#define HTTP_REQUEST                                                                               \
	"GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\nAccept: "        \
	"*/*\r\n\r\n"
#define HTTP_ANSWER                                                                                \
	"HTTP/1.1 200 OK\r\nServer: bench/1.22.1\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n"       \
	"Content-Type: text/html\r\nContent-Length: 6\r\n"                                         \
	"Last-Modified: Sat, 21 Nov 2026 07:00:00 GMT\r\nConnection: keep-alive\r\n"               \
	"ETag: \"65a1b2c3-6\"\r\nAccept-Ranges: bytes\r\n\r\nhello\n"
/* Each is told at both ends, which are one target: as many records as its bucket holds. */
#define HTTP_TOLD_REQUESTS 90
#define HTTP_BODY_HEAD	   "POST / HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n"

enum hook { HOOK_INGRESS, HOOK_EGRESS, HOOK_SOCK_OPS, HOOK_EXEC };
#define HOOKS 4

/* A program that does nothing, at the same hook. */
static const struct {
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
} hooks[HOOKS] = {
	[HOOK_INGRESS] = {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS},
	[HOOK_EGRESS] = {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS},
	[HOOK_SOCK_OPS] = {BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS},
	[HOOK_EXEC] = {BPF_PROG_TYPE_RAW_TRACEPOINT, 0},
};

enum load {
	LOAD_REQUESTS,
	LOAD_BULK,
	LOAD_CONNECTIONS, /* both ends are watched */
	LOAD_OPENED,
	LOAD_ACCEPTED,
	LOAD_LOOKUPS,
	LOAD_HTTP_SERVED, /* of one end each: so a program sees requests, or responses */
	LOAD_HTTP_ASKED,
	LOAD_HTTP_KEPT, /* requests that may be told, and are not */
	LOAD_HTTP_TOLD,
	LOAD_HTTP_BODY,
	LOAD_EXECS,
	LOAD_FOREIGN_EXECS
};

/* A program and the hook that it is at. */
struct part {
	const char *program; /* NULL: none */
	enum hook hook;
};

#define PARTS 2

static const struct measurement {
	struct part parts[PARTS]; /* what they cost together */
	const char *event;
	enum load load;
	double events; /* of a load; 0: each run of the (only) program is one */
	double limit;  /* ns that docs/benchmarks.md holds us to; 0: none */
} measurements[] = {
	{{{"tcp_sent", HOOK_EGRESS}}, "packet out, request and answer", LOAD_REQUESTS, 0, 60},
	{{{"tcp_sent", HOOK_EGRESS}}, "packet out, bulk transfer", LOAD_BULK, 0, 60},
	{{{"tcp_sent", HOOK_EGRESS}}, "packet out, short connections", LOAD_CONNECTIONS, 0, 0},
	{{{"tcp_operation", HOOK_SOCK_OPS}}, "call of sock_ops, the same", LOAD_CONNECTIONS, 0, 0},
	{{{"tcp_sent", HOOK_EGRESS}, {"tcp_operation", HOOK_SOCK_OPS}},
	 "short connection opened, whole",
	 LOAD_OPENED,
	 CONNECTIONS,
	 0},
	{{{"tcp_sent", HOOK_EGRESS}, {"tcp_operation", HOOK_SOCK_OPS}},
	 "short connection accepted, whole",
	 LOAD_ACCEPTED,
	 CONNECTIONS,
	 0},
	{{{"http_operation", HOOK_SOCK_OPS}}, "call of sock_ops, the same", LOAD_CONNECTIONS, 0, 0},
	{{{"http_operation", HOOK_SOCK_OPS}},
	 "short connection accepted, whole",
	 LOAD_ACCEPTED,
	 CONNECTIONS,
	 0},
	{{{"dns_received", HOOK_INGRESS}}, "packet in, no DNS", LOAD_REQUESTS, 0, 20},
	{{{"dns_sent", HOOK_EGRESS}}, "packet out, no DNS", LOAD_REQUESTS, 0, 20},
	{{{"dns_received", HOOK_INGRESS}}, "packet in, DNS", LOAD_LOOKUPS, LOOKUPS, 0},
	{{{"dns_sent", HOOK_EGRESS}}, "packet out, DNS", LOAD_LOOKUPS, LOOKUPS, 0},
	{{{"http_received", HOOK_INGRESS}}, "packet in, HTTP request", LOAD_HTTP_SERVED, 0, 150},
	{{{"http_sent", HOOK_EGRESS}}, "packet out, HTTP response", LOAD_HTTP_SERVED, 0, 150},
	{{{"http_sent", HOOK_EGRESS}}, "packet out, HTTP request", LOAD_HTTP_ASKED, 0, 150},
	{{{"http_received", HOOK_INGRESS}}, "packet in, HTTP response", LOAD_HTTP_ASKED, 0, 150},
	{{{"http_received", HOOK_INGRESS}}, "packet in, HTTP head kept", LOAD_HTTP_KEPT, 0, 0},
	{{{"http_sent", HOOK_EGRESS}}, "packet out, HTTP head kept", LOAD_HTTP_KEPT, 0, 0},
	{{{"http_received", HOOK_INGRESS}}, "packet in, HTTP head told", LOAD_HTTP_TOLD, 0, 0},
	{{{"http_sent", HOOK_EGRESS}}, "packet out, HTTP head told", LOAD_HTTP_TOLD, 0, 0},
	{{{"http_received", HOOK_INGRESS}}, "packet in, HTTP body", LOAD_HTTP_BODY, 0, 60},
	{{{"http_sent", HOOK_EGRESS}}, "packet out, HTTP body", LOAD_HTTP_BODY, 0, 60},
	{{{"http_received", HOOK_INGRESS}}, "packet in, no HTTP", LOAD_REQUESTS, 0, 60},
	{{{"exec_succeeded", HOOK_EXEC}}, "exec, watched", LOAD_EXECS, 0, 3000},
	{{{"exec_succeeded", HOOK_EXEC}}, "exec, not watched", LOAD_FOREIGN_EXECS, 0, 150},
};

#define MEASUREMENTS (sizeof(measurements) / sizeof(measurements[0]))

struct usage {
	uint64_t runs;
	uint64_t time; /* ns */
};

/* Of each part: its program's, and that of an empty one at the same hook. */
struct result {
	struct usage programs[PARTS];
	struct usage empty[PARTS];
	double cost;  /* ns for each event */
	double least; /* of all rounds */
};

struct bench {
	char watched[PATH_MAX]; /* cgroups */
	char foreign[PATH_MAX];
	struct probe_host host;
	struct series_store *series;
	struct series_owner *owner;
	struct probe *probes[PROBE_TYPES];
	struct probe_attachment *attachments[PROBE_TYPES];
	uint32_t last_foreign_id; /* programs of others have up to this one */
	int empty[HOOKS];
	int empty_links[HOOKS];
	int statistics;
};

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- programs --- */

static uint32_t last_program_id(void)
{
	uint32_t id = 0;

	while (bpf_prog_get_next_id(id, &id) == 0)
		;
	return id;
}

static struct usage usage_of(int program, char ret_name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	require(bpf_obj_get_info_by_fd(program, &info, &size) == 0, "read a program's statistics");
	if (ret_name)
		memcpy(ret_name, info.name, BPF_OBJ_NAME_LEN);
	return (struct usage){info.run_cnt, info.run_time_ns};
}

/* The kernel keeps the first 15 characters of a name. */
static struct usage usage_by_name(const struct bench *bench, const char *name)
{
	uint32_t id = bench->last_foreign_id;

	while (bpf_prog_get_next_id(id, &id) == 0) {
		cleanup_close int program = bpf_prog_get_fd_by_id(id);
		char found[BPF_OBJ_NAME_LEN];
		struct usage usage;

		if (program < 0)
			continue;
		usage = usage_of(program, found);
		if (strncmp(found, name, BPF_OBJ_NAME_LEN - 1) == 0)
			return usage;
	}
	errno = ENOENT;
	require(false, name);
	return (struct usage){0};
}

static struct usage usage_between(struct usage before, struct usage after)
{
	return (struct usage){after.runs - before.runs, after.time - before.time};
}

static int load_empty(enum hook hook)
{
	const struct bpf_insn instructions[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = hooks[hook].attach_type);
	int program = bpf_prog_load(hooks[hook].type, "skep_empty", "Dual BSD/GPL", instructions, 2,
				    &options);

	require(program >= 0, "load an empty program");
	return program;
}

static void attach_empty(struct bench *bench)
{
	int cgroup = open(bench->watched, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (enum hook hook = 0; hook < HOOKS; hook++) {
		bench->empty[hook] = load_empty(hook);
		bench->empty_links[hook] =
			hook == HOOK_EXEC
				? bpf_raw_tracepoint_open("sched_process_exec", bench->empty[hook])
				: bpf_link_create(bench->empty[hook], cgroup,
						  hooks[hook].attach_type, NULL);
		require(bench->empty_links[hook] >= 0, "attach an empty program");
	}
	close(cgroup);
}

static struct probe_target target_of(const struct bench *bench, const char *mount)
{
	static const struct selected_pod pod = {.namespace = "bench"};
	struct probe_target target = {.path = bench->watched, .pod = &pod, .series = bench->owner};
	struct stat status;

	require(stat(bench->watched, &status) == 0, bench->watched);
	target.cgroup_id = status.st_ino;
	for (const char *c = bench->watched + strlen(mount); *c; c++)
		target.cgroup_level += *c == '/';
	return target;
}

/* What is asked of a probe while a load runs. */
static union probe_settings settings_of(enum probe_type type, enum load load)
{
	union probe_settings settings = {0};

	if (type == PROBE_EXEC)
		settings.exec.arguments = EXEC_ARGUMENTS_REDACTED;
	if (type == PROBE_HTTP)
		settings.http.paths = HTTP_PATHS_NORMALIZED;
	if (type == PROBE_HTTP && load == LOAD_HTTP_KEPT)
		settings.http.slow_ns = HTTP_SLOW_MOST;
	if (type == PROBE_HTTP && load == LOAD_HTTP_TOLD)
		settings.http.sample_one_in = 1;
	return settings;
}

static void configure_http(const struct bench *bench, enum load load)
{
	const union probe_settings settings = settings_of(PROBE_HTTP, load);
	struct error error = {0};

	if (probe_kinds[PROBE_HTTP]->configure(bench->probes[PROBE_HTTP],
					       bench->attachments[PROBE_HTTP], &settings,
					       &error) == 0)
		return;
	fprintf(stderr, "bench: %s\n", error.message);
	exit(1);
}

static void attach_probes(struct bench *bench, const char *mount)
{
	struct probe_target target = target_of(bench, mount);
	struct error error = {0};

	for (int type = 0; type < PROBE_TYPES; type++) {
		const struct probe_kind *kind = probe_kinds[type];
		const union probe_settings settings =
			settings_of((enum probe_type)type, LOAD_REQUESTS);

		if (kind->open(&bench->host, &bench->probes[type], &error) < 0 ||
		    kind->attach(bench->probes[type], &target, &settings, &bench->attachments[type],
				 &error) < 0) {
			fprintf(stderr, "bench: %s\n", error.message);
			exit(1);
		}
	}
}

/* --- load --- */

static void enter(const char *cgroup)
{
	char path[PATH_MAX + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	file = fopen(path, "we");
	require(file && fprintf(file, "0\n") > 0 && fclose(file) == 0, path);
}

static int listen_on_loopback(struct sockaddr_in *ret_address)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*ret_address);

	*ret_address = (struct sockaddr_in){.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	require(bind(listener, (struct sockaddr *)ret_address, size) == 0 &&
			listen(listener, 128) == 0 &&
			getsockname(listener, (struct sockaddr *)ret_address, &size) == 0,
		"listen");
	return listener;
}

/* Answers each message with this one, or with one of its own size. */
static void serve(int listener, int connections, const char *answer)
{
	char message[MESSAGE_SIZE];
	ssize_t size;

	for (int i = 0; i < connections; i++) {
		cleanup_close int server = accept(listener, NULL, NULL);

		while ((size = recv(server, message, sizeof(message), 0)) > 0)
			if (send(server, answer ? answer : message,
				 answer ? strlen(answer) : (size_t)size, MSG_NOSIGNAL) < 0)
				break;
	}
	_exit(0);
}

static void ask(const struct sockaddr_in *address, int requests, const char *request)
{
	cleanup_close int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const size_t size = request ? strlen(request) : REQUEST_SIZE;
	char message[MESSAGE_SIZE] = {0}, received[MESSAGE_SIZE];

	memcpy(message, request ? request : "", request ? size : 0);
	require(connect(client, (const struct sockaddr *)address, sizeof(*address)) == 0,
		"connect");
	for (int i = 0; i < requests; i++)
		require(send(client, message, size, MSG_NOSIGNAL) == (ssize_t)size &&
				recv(client, received, sizeof(received), 0) > 0,
			"request");
}

/* Accepted sockets are of the cgroup in which their listener was made. */
static void converse(const char *server, const char *client, int connections, int requests,
		     const char *request, const char *answer)
{
	struct sockaddr_in address;
	int listener;

	enter(server);
	listener = listen_on_loopback(&address);
	if (fork() == 0)
		serve(listener, connections, answer);
	enter(client);
	for (int i = 0; i < connections; i++)
		ask(&address, requests, request);
	close(listener);
	wait(NULL);
}

static void swallow(int listener)
{
	static char data[1 << 18];
	cleanup_close int server = accept(listener, NULL, NULL);

	while (recv(server, data, sizeof(data), 0) > 0)
		;
	_exit(0);
}

static void transfer_bulk(const char *head)
{
	static char data[1 << 18];
	struct sockaddr_in address;
	int listener = listen_on_loopback(&address);
	cleanup_close int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t sent = 0;
	ssize_t size = 0;

	if (fork() == 0)
		swallow(listener);
	require(connect(client, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	require(send(client, head, strlen(head), MSG_NOSIGNAL) >= 0, "send");
	for (; sent < BULK_SIZE && size >= 0; sent += (uint64_t)size)
		size = send(client, data, sizeof(data), MSG_NOSIGNAL);
	require(size > 0, "send");
	shutdown(client, SHUT_WR);
	wait(NULL);
	close(listener);
}

static void execute(void)
{
	for (int i = 0; i < EXECS; i++) {
		if (vfork() == 0) {
			execl("/bin/true", "true", "--some=argument", NULL);
			_exit(1);
		}
		wait(NULL);
	}
}

/* Queries and answers of nothing: what is in them matters to user space only. */
static void look_up(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)}, from;
	cleanup_close int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cleanup_close int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char message[LOOKUP_SIZE] = {0};
	socklen_t size = sizeof(from);

	address.sin_addr.s_addr = htonl(0x7f353535); /* 127.53.53.53, where nobody else listens */
	require(bind(server, (struct sockaddr *)&address, sizeof(address)) == 0 &&
			connect(client, (struct sockaddr *)&address, sizeof(address)) == 0,
		"name server");
	usleep(DNS_PAUSE_US);
	for (int i = 0; i < LOOKUPS; i++) {
		require(send(client, message, LOOKUP_SIZE, 0) == LOOKUP_SIZE, "query");
		require(recvfrom(server, message, LOOKUP_SIZE, 0, (struct sockaddr *)&from,
				 &size) == LOOKUP_SIZE,
			"query");
		require(sendto(server, message, LOOKUP_SIZE, 0, (struct sockaddr *)&from, size) ==
				LOOKUP_SIZE,
			"answer");
		require(recv(client, message, LOOKUP_SIZE, 0) == LOOKUP_SIZE, "answer");
	}
}

static void run_load(const struct bench *bench, enum load load)
{
	const char *watched = bench->watched, *foreign = bench->foreign;

	enter(load == LOAD_FOREIGN_EXECS ? foreign : watched);
	switch (load) {
	case LOAD_REQUESTS:
		converse(watched, watched, 1, REQUESTS, NULL, NULL);
		break;
	case LOAD_BULK:
		transfer_bulk("");
		break;
	case LOAD_CONNECTIONS:
		converse(watched, watched, CONNECTIONS, 1, NULL, NULL);
		break;
	case LOAD_OPENED:
		converse(foreign, watched, CONNECTIONS, 1, NULL, NULL);
		break;
	case LOAD_ACCEPTED:
		converse(watched, foreign, CONNECTIONS, 1, NULL, NULL);
		break;
	case LOAD_LOOKUPS:
		look_up();
		break;
	case LOAD_HTTP_SERVED:
		converse(watched, foreign, 1, REQUESTS, HTTP_REQUEST, HTTP_ANSWER);
		break;
	case LOAD_HTTP_ASKED:
		converse(foreign, watched, 1, REQUESTS, HTTP_REQUEST, HTTP_ANSWER);
		break;
	case LOAD_HTTP_KEPT:
		converse(watched, watched, 1, REQUESTS, HTTP_REQUEST, HTTP_ANSWER);
		break;
	case LOAD_HTTP_TOLD:
		converse(watched, watched, 1, HTTP_TOLD_REQUESTS, HTTP_REQUEST, HTTP_ANSWER);
		break;
	case LOAD_HTTP_BODY:
		transfer_bulk(HTTP_BODY_HEAD);
		break;
	case LOAD_EXECS:
	case LOAD_FOREIGN_EXECS:
		execute();
		break;
	}
}

/* Runs a load in a child, so that the bench itself stays out of the cgroups. */
static void run(const struct bench *bench, enum load load)
{
	if (fork() == 0) {
		run_load(bench, load);
		_exit(0);
	}
	wait(NULL);
	uv_run(bench->host.loop, UV_RUN_NOWAIT);
}

static double mean(struct usage usage)
{
	return usage.runs ? (double)usage.time / (double)usage.runs : 0;
}

/* Of all parts, less that of an empty program as often as they ran. */
static double cost_of(const struct measurement *measurement, const struct result *result)
{
	double events =
		measurement->events > 0 ? measurement->events : (double)result->programs[0].runs;
	double cost = 0;

	for (int i = 0; i < PARTS; i++)
		cost += (double)result->programs[i].time -
			(double)result->programs[i].runs * mean(result->empty[i]);
	return events > 0 ? cost / events : 0;
}

static struct result read_usage(const struct bench *bench, const struct measurement *measurement)
{
	struct result result = {0};

	for (int i = 0; i < PARTS; i++) {
		const struct part *part = &measurement->parts[i];

		if (!part->program)
			continue;
		result.programs[i] = usage_by_name(bench, part->program);
		result.empty[i] = usage_of(bench->empty[part->hook], NULL);
	}
	return result;
}

static void measure_load(const struct bench *bench, enum load load, int round,
			 struct result results[MEASUREMENTS][ROUNDS])
{
	struct result before[MEASUREMENTS];

	configure_http(bench, load);
	for (size_t i = 0; i < MEASUREMENTS; i++)
		before[i] = read_usage(bench, &measurements[i]);
	run(bench, load);
	for (size_t i = 0; i < MEASUREMENTS; i++) {
		struct result after = read_usage(bench, &measurements[i]);

		if (measurements[i].load != load)
			continue;
		for (int part = 0; part < PARTS; part++) {
			after.programs[part] =
				usage_between(before[i].programs[part], after.programs[part]);
			after.empty[part] = usage_between(before[i].empty[part], after.empty[part]);
		}
		after.cost = cost_of(&measurements[i], &after);
		results[i][round] = after;
	}
}

/* --- output --- */

static int compare_costs(const void *a, const void *b)
{
	double left = ((const struct result *)a)->cost, right = ((const struct result *)b)->cost;

	return (left > right) - (left < right);
}

/* The round whose cost is in the middle, for each measurement. */
static void choose_medians(struct result rounds[MEASUREMENTS][ROUNDS], struct result *results)
{
	for (size_t i = 0; i < MEASUREMENTS; i++) {
		qsort(rounds[i], ROUNDS, sizeof(rounds[i][0]), compare_costs);
		results[i] = rounds[i][ROUNDS / 2];
		results[i].least = rounds[i][0].cost;
	}
}

static void name_programs(size_t measurement, char *ret_names, size_t size)
{
	const struct part *parts = measurements[measurement].parts;

	snprintf(ret_names, size, "%s%s%s", parts[0].program, parts[1].program ? " + " : "",
		 parts[1].program ? parts[1].program : "");
}

static void print_table(const struct result *results)
{
	printf("%-24s %-38s %9s %8s %8s %8s %6s\n", "programs", "event", "runs", "empty ns",
	       "cost ns", "least", "hold");
	for (size_t i = 0; i < MEASUREMENTS; i++) {
		char names[64];

		name_programs(i, names, sizeof(names));
		printf("%-24s %-38s %9llu %8.1f %8.1f %8.1f", names, measurements[i].event,
		       (unsigned long long)results[i].programs[0].runs, mean(results[i].empty[0]),
		       results[i].cost, results[i].least);
		if (measurements[i].limit > 0)
			printf(" %6.0f", measurements[i].limit);
		printf("\n");
	}
}

static void print_json(const struct result *results)
{
	cleanup_json cJSON *array = cJSON_CreateArray();
	cleanup_free char *text = NULL;

	for (size_t i = 0; i < MEASUREMENTS; i++) {
		cJSON *item = cJSON_CreateObject();
		char names[64];

		name_programs(i, names, sizeof(names));
		cJSON_AddStringToObject(item, "programs", names);
		cJSON_AddStringToObject(item, "event", measurements[i].event);
		cJSON_AddNumberToObject(item, "runs", (double)results[i].programs[0].runs);
		cJSON_AddNumberToObject(item, "emptyNs", mean(results[i].empty[0]));
		cJSON_AddNumberToObject(item, "costNs", results[i].cost);
		cJSON_AddNumberToObject(item, "leastNs", results[i].least);
		if (measurements[i].limit > 0)
			cJSON_AddNumberToObject(item, "holdNs", measurements[i].limit);
		cJSON_AddItemToArray(array, item);
	}
	text = cJSON_Print(array);
	puts(text ? text : "[]");
}

/* --- all of it --- */

static void drop_event(void *context, enum probe_type probe, uint64_t target, uint64_t container,
		       cJSON *event)
{
	(void)context, (void)probe, (void)target, (void)container;
	cJSON_Delete(event);
}

/* Nobody is known, which costs the kernel nothing. */
static bool find_nobody(void *context, struct series_owner *owner,
			const uint8_t address[EDGE_ADDRESS_SIZE], struct peer_identity *ret_peer)
{
	(void)context, (void)owner, (void)address;
	*ret_peer = (struct peer_identity){"Unknown", "", "", false};
	return true;
}

/* All edges are one row. */
static struct series_row *row_of_edge(void *context, struct series_owner *owner,
				      const struct series_layout *layout, const struct edge *edge)
{
	(void)context, (void)edge;
	return series_row(owner, layout, NULL, 0);
}

static void set_up(struct bench *bench)
{
	const char *mount = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
				    ? "/sys/fs/cgroup"
				    : "/sys/fs/cgroup/unified";
	const struct strings policies = {0};

	snprintf(bench->watched, PATH_MAX, "%s/skep-bench-%d-a", mount, getpid());
	snprintf(bench->foreign, PATH_MAX, "%s/skep-bench-%d-b", mount, getpid());
	require(mkdir(bench->watched, 0755) == 0, bench->watched);
	require(mkdir(bench->foreign, 0755) == 0, bench->foreign);
	bench->last_foreign_id = last_program_id();
	bench->host = (struct probe_host){.loop = uv_default_loop(),
					  .emit = drop_event,
					  .edge_row = row_of_edge,
					  .find_peer = find_nobody};
	bench->series = series_store_new();
	bench->owner = bench->series ? series_owner_new(bench->series, NULL, 0, &policies) : NULL;
	require(bench->owner, "make series");
	attach_empty(bench);
	attach_probes(bench, mount);
	bench->statistics = bpf_enable_stats(BPF_STATS_RUN_TIME);
	require(bench->statistics >= 0, "enable statistics (BPF_ENABLE_STATS, kernel 5.8)");
}

static void tear_down(struct bench *bench)
{
	close(bench->statistics);
	for (int type = 0; type < PROBE_TYPES; type++) {
		probe_kinds[type]->detach(bench->probes[type], bench->attachments[type]);
		probe_kinds[type]->close(bench->probes[type]);
	}
	for (enum hook hook = 0; hook < HOOKS; hook++) {
		close(bench->empty_links[hook]);
		close(bench->empty[hook]);
	}
	series_owner_free(bench->owner, 0);
	series_store_free(bench->series);
	uv_run(bench->host.loop, UV_RUN_DEFAULT);
	uv_loop_close(bench->host.loop);
	rmdir(bench->watched);
	rmdir(bench->foreign);
}

int main(int argc, char **argv)
{
	struct result rounds[MEASUREMENTS][ROUNDS] = {0}, results[MEASUREMENTS];
	struct bench bench = {0};

	set_up(&bench);
	for (int round = 0; round < ROUNDS; round++)
		for (enum load load = LOAD_REQUESTS; load <= LOAD_FOREIGN_EXECS; load++)
			measure_load(&bench, load, round, rounds);
	choose_medians(rounds, results);
	tear_down(&bench);
	if (argc > 1 && strcmp(argv[1], "--json") == 0)
		print_json(results);
	else
		print_table(results);
	return 0;
}
