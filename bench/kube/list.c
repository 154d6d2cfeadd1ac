// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What a list of many pods costs the client in memory: a server in a process of its own holds them,
 * an informer lists them in pages of 500 and keeps of them what it keeps by itself.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/kube/informer_settings.h"

#include "lib/kube/tests/truth.c"

#include "lib/kube/tests/hostile_server.c"

#define PODS	  20000
#define POD_BYTES 8000

static size_t received;

/* Serves until it is killed; tells its port through the pipe. */
static void serve(int pipe)
{
	struct hostile_server server;
	uv_loop_t loop;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	uv_loop_init(&loop);
	hostile_server_start(&server, &loop, PODS);
	for (size_t i = 0; i < PODS; i++)
		truth_put(&server.truth, i, POD_BYTES);
	if (write(pipe, &server.port, sizeof(server.port)) != sizeof(server.port))
		abort();
	uv_run(&loop, UV_RUN_DEFAULT);
}

/* A figure of /proc/self/status, in KiB. */
static long memory(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kibibytes = 0;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			kibibytes = strtol(line + strlen(name) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kibibytes;
}

static void on_upsert(void *context, const cJSON *object)
{
	(void)context, (void)object; /* nothing more is kept than the informer keeps */
	received++;
}

static void on_remove(void *context, const char *namespace, const char *name, const char *uid)
{
	(void)context, (void)namespace, (void)name, (void)uid;
}

static void on_synced(void *context)
{
	uv_stop(context);
}

static void list(uv_loop_t *loop, struct kube_client *client)
{
	const struct kube_informer_handlers handlers = {on_upsert, on_remove, on_synced};
	struct kube_informer *informer;
	struct error error;
	uint64_t start = uv_hrtime();
	size_t kept;

	kept = mallinfo2().uordblks;
	if (kube_informer_new(client, "/api/v1/pods", NULL, &handlers, loop, &informer, &error) <
	    0) {
		fprintf(stderr, "%s\n", error.message);
		exit(EXIT_FAILURE);
	}
	uv_run(loop, UV_RUN_DEFAULT);
	kept = mallinfo2().uordblks - kept;
	printf("%zu pods of %d bytes in %llu ms: kept %zu bytes of heap each, RSS %ld KiB, "
	       "at its peak %ld KiB\n",
	       received, POD_BYTES, (unsigned long long)(uv_hrtime() - start) / 1000000,
	       kept / received, memory("VmRSS:"), memory("VmHWM:"));
}

int main(void)
{
	struct kube_config config = {0};
	struct kube_client *client;
	struct error error;
	char server[64];
	uv_loop_t loop;
	pid_t child;
	int ends[2], port;

	if (pipe(ends) < 0)
		return EXIT_FAILURE;
	child = fork();
	if (child == 0)
		serve(ends[1]);
	if (child < 0 || read(ends[0], &port, sizeof(port)) != sizeof(port))
		return EXIT_FAILURE;
	uv_loop_init(&loop);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", port);
	config.server = server;
	if (kube_client_new(&loop, &config, &client, &error) < 0)
		return EXIT_FAILURE;
	printf("before: RSS %ld KiB\n", memory("VmRSS:"));
	list(&loop, client);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return EXIT_SUCCESS;
}
