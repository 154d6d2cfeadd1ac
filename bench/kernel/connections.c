// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What many open connections cost: kernel memory for each that is watched, and the time of one read
 * of them all. The connections are there, and have carried a byte each, before the probe comes;
 * then each carries another byte, which brings it to the probe. The difference in the kernel's
 * slabs
 * (/proc/slabinfo) between these two moments is what the probe keeps. Needs root and cgroup v2;
 * makes a network namespace and a cgroup, and removes them.
 *
 * usage: connections [NUMBER]
 */

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/series/store.h"

#define NUMBER	     100000
#define PAIRS	     8	   /* of processes: one opens, one accepts */
#define PAIR_LIMIT   18000 /* as many ports, and descriptors, as one process may have */
#define CACHES_LIMIT 512
#define SETTLE_US    1500000 /* until the kernel has freed what it frees late (RCU) */
#define READS	     5

struct cache {
	char name[64];
	long objects;
	long size;
};

struct slabs {
	struct cache caches[CACHES_LIMIT];
	size_t count;
};

struct pair {
	pid_t processes[2];
	int orders; /* a byte: each connection carries a byte */
	int done;
};

struct bench {
	char cgroup[PATH_MAX];
	int per_pair;
	struct pair pairs[PAIRS];
	struct probe_host host;
	struct series_store *series;
	struct series_owner *owner;
	struct probe *probe;
	struct probe_attachment *attachment;
};

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "connections: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- the kernel's memory --- */

static void read_slabs(struct slabs *slabs)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[512];

	require(file, "/proc/slabinfo");
	slabs->count = 0;
	while (fgets(line, sizeof(line), file) && slabs->count < CACHES_LIMIT) {
		struct cache *cache = &slabs->caches[slabs->count];

		if (sscanf(line, "%63s %ld %*d %ld", cache->name, &cache->objects, &cache->size) ==
		    3)
			slabs->count++;
	}
	fclose(file);
}

static long objects_of(const struct slabs *slabs, const char *name)
{
	for (size_t i = 0; i < slabs->count; i++)
		if (strcmp(slabs->caches[i].name, name) == 0)
			return slabs->caches[i].objects;
	return 0;
}

/* Tells each cache that has grown by an object for every second connection or more. */
static void print_growth(const struct slabs *before, const struct slabs *after, int number)
{
	double sum = 0;

	for (size_t i = 0; i < after->count; i++) {
		const struct cache *cache = &after->caches[i];
		double each = (double)(cache->objects - objects_of(before, cache->name)) / number;

		if (each < 0.5 && each > -0.5)
			continue;
		sum += each * (double)cache->size;
		printf("  %-24s %5ld B  %5.2f for each connection\n", cache->name, cache->size,
		       each);
	}
	printf("kernel memory of a connection: %.0f B  hold 256\n", sum);
}

/* --- the connections --- */

static int listen_on_loopback(struct sockaddr_in *ret_address)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*ret_address);

	*ret_address = (struct sockaddr_in){.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	require(bind(listener, (struct sockaddr *)ret_address, size) == 0 &&
			listen(listener, 4096) == 0 &&
			getsockname(listener, (struct sockaddr *)ret_address, &size) == 0,
		"listen");
	return listener;
}

static void accept_all(int listener, int number)
{
	int *connections = calloc((size_t)number, sizeof(*connections));
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < number; i++)
		connections[i] = accept(listener, NULL, NULL);
	for (;;)
		for (int i = 0; i < number; i++)
			if (recv(connections[i], &byte, 1, 0) != 1 ||
			    send(connections[i], &byte, 1, MSG_NOSIGNAL) != 1)
				_exit(0);
}

/* An order is carried out on all connections; the answer has come when it is told as done. */
static void obey(const int *connections, int number, int orders, int done)
{
	char byte = 0;

	while (write(done, &byte, 1) == 1 && read(orders, &byte, 1) == 1) {
		for (int i = 0; i < number; i++)
			require(send(connections[i], &byte, 1, MSG_NOSIGNAL) == 1, "send");
		for (int i = 0; i < number; i++)
			require(recv(connections[i], &byte, 1, 0) == 1, "receive");
	}
	_exit(0);
}

static void enter(const char *cgroup)
{
	char path[PATH_MAX + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	file = fopen(path, "we");
	require(file && fprintf(file, "0\n") > 0 && fclose(file) == 0, path);
}

static void open_all(const struct bench *bench, const struct sockaddr_in *address, int orders,
		     int done)
{
	int *connections = calloc((size_t)bench->per_pair, sizeof(*connections));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter(bench->cgroup);
	for (int i = 0; i < bench->per_pair; i++) {
		connections[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		require(connect(connections[i], (const struct sockaddr *)address,
				sizeof(*address)) == 0,
			"connect");
	}
	obey(connections, bench->per_pair, orders, done);
}

static void start_pair(struct bench *bench, struct pair *pair)
{
	struct sockaddr_in address;
	int listener = listen_on_loopback(&address), orders[2], done[2];

	require(pipe2(orders, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0, "pipe");
	fflush(stdout);
	pair->processes[0] = fork();
	if (pair->processes[0] == 0)
		accept_all(listener, bench->per_pair);
	close(listener);
	pair->processes[1] = fork();
	if (pair->processes[1] == 0)
		open_all(bench, &address, orders[0], done[1]);
	close(orders[0]);
	close(done[1]);
	pair->orders = orders[1];
	pair->done = done[0];
}

static void wait_done(const struct bench *bench)
{
	char byte;

	for (int i = 0; i < PAIRS; i++)
		require(read(bench->pairs[i].done, &byte, 1) == 1, "a process of the bench ended");
}

static void start_pairs(struct bench *bench)
{
	for (int i = 0; i < PAIRS; i++)
		start_pair(bench, &bench->pairs[i]);
	wait_done(bench);
}

static void order_bytes(const struct bench *bench)
{
	for (int i = 0; i < PAIRS; i++)
		require(write(bench->pairs[i].orders, "", 1) == 1, "order");
	wait_done(bench);
}

static void end_pairs(struct bench *bench)
{
	for (int i = 0; i < PAIRS; i++) {
		for (int process = 0; process < 2; process++) {
			kill(bench->pairs[i].processes[process], SIGKILL);
			waitpid(bench->pairs[i].processes[process], NULL, 0);
		}
		close(bench->pairs[i].orders);
		close(bench->pairs[i].done);
	}
}

/* --- the probe --- */

static struct series_row *row_of_edge(void *context, struct series_owner *owner,
				      const struct series_layout *layout, const struct edge *edge)
{
	(void)context, (void)edge;
	return series_row(owner, layout, NULL, 0);
}

static void attach(struct bench *bench, const char *mount)
{
	struct probe_target target = {.path = bench->cgroup, .series = bench->owner};
	const union probe_settings settings = {0};
	struct error error = {0};
	struct stat status;

	require(stat(bench->cgroup, &status) == 0, bench->cgroup);
	target.cgroup_id = status.st_ino;
	for (const char *c = bench->cgroup + strlen(mount); *c; c++)
		target.cgroup_level += *c == '/';
	if (tcp_probe_kind.open(&bench->host, &bench->probe, &error) < 0 ||
	    tcp_probe_kind.attach(bench->probe, &target, &settings, &bench->attachment, &error) <
		    0) {
		fprintf(stderr, "connections: %s\n", error.message);
		exit(1);
	}
}

static double milliseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The fastest of some: what the read itself takes. */
static void print_read_time(const struct bench *bench, const char *when)
{
	double least = 1e9;

	for (int i = 0; i < READS; i++) {
		double begin = milliseconds(CLOCK_PROCESS_CPUTIME_ID), took;

		tcp_probe_kind.read(bench->probe);
		took = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
		least = took < least ? took : least;
	}
	printf("a read of all, %s: %.1f ms of CPU\n", when, least);
}

static void set_up(struct bench *bench, const char *mount)
{
	const struct rlimit own = {1 << 20, 1 << 20};
	const struct strings policies = {0};
	struct rlimit files;

	(void)setrlimit(RLIMIT_NOFILE, &own); /* a limit that stands may be high enough */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	require(setrlimit(RLIMIT_NOFILE, &files) == 0 && (int)files.rlim_cur > bench->per_pair + 64,
		"too few descriptors are allowed (ulimit -Hn)");
	require(unshare(CLONE_NEWNET) == 0, "make a network namespace");
	require(system("ip link set lo up") == 0, "ip link set lo up");
	snprintf(bench->cgroup, PATH_MAX, "%s/skep-bench-%d", mount, getpid());
	require(mkdir(bench->cgroup, 0755) == 0, bench->cgroup);
	bench->host = (struct probe_host){.loop = uv_default_loop(), .edge_row = row_of_edge};
	bench->series = series_store_new();
	bench->owner = bench->series ? series_owner_new(bench->series, NULL, 0, &policies) : NULL;
	require(bench->owner, "make series");
}

static void tear_down(struct bench *bench)
{
	tcp_probe_kind.detach(bench->probe, bench->attachment);
	tcp_probe_kind.close(bench->probe);
	series_owner_free(bench->owner, 0);
	series_store_free(bench->series);
	uv_run(bench->host.loop, UV_RUN_DEFAULT);
	uv_loop_close(bench->host.loop);
	rmdir(bench->cgroup);
}

int main(int argc, char **argv)
{
	const char *mount = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
				    ? "/sys/fs/cgroup"
				    : "/sys/fs/cgroup/unified";
	struct bench bench = {.per_pair = (argc > 1 ? atoi(argv[1]) : NUMBER) / PAIRS};
	static struct slabs before, after;

	require(bench.per_pair > 0 && bench.per_pair <= PAIR_LIMIT, "number of connections");
	set_up(&bench, mount);
	start_pairs(&bench);
	order_bytes(&bench);
	attach(&bench, mount);
	usleep(SETTLE_US);
	read_slabs(&before);
	order_bytes(&bench);
	usleep(SETTLE_US);
	read_slabs(&after);
	printf("%d connections, one end of each watched:\n", bench.per_pair * PAIRS);
	print_growth(&before, &after, bench.per_pair * PAIRS);
	print_read_time(&bench, "all older than the probe");
	end_pairs(&bench);
	start_pairs(&bench);
	print_read_time(&bench, "all younger than the probe");
	end_pairs(&bench);
	tear_down(&bench);
	return 0;
}
