// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The agent's process: command line, signals, limits. What it does is wired together in agent.c. */

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "node-agent/agent.h"

/* How the process ends when it cannot start. */
#define EXIT_UNUSABLE 2

/* Three descriptors per pod and probe, and some for the rest. */
#define DESCRIPTORS_WANTED 65536

struct process {
	struct agent *agent;
	uv_signal_t terminate;
	uv_signal_t interrupt;
};

static void on_signal(uv_signal_t *handle, int number)
{
	struct process *process = handle->data;

	log_info("%s: detaching and ending", strsignal(number));
	process->agent = agent_free(process->agent);
	uv_close((uv_handle_t *)&process->terminate, NULL);
	uv_close((uv_handle_t *)&process->interrupt, NULL);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS_WANTED)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("cannot raise the limit of open files: %s", strerror(errno));
}

/*
 * An answer to a scrape takes megabytes for a moment. glibc would move its threshold up and keep
 * them in the heap, below whatever comes to lie behind; fixed, they go back at once.
 */
#define LARGE_ALLOCATION (128 * 1024)

static void keep_heap_small(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_ALLOCATION); /* refused, it is as it was */
}

static int check_readable(const char *option, const char *path, struct error *error)
{
	if (access(path, R_OK) == 0)
		return 0;
	return error_set_errno(error, errno, "--%s=%s cannot be read", option, path);
}

static int run(const struct agent_options *options, struct error *error)
{
	struct process process = {0};
	uv_loop_t *loop = uv_default_loop();
	int result = check_readable("ca", options->ca_file, error);

	if (result == 0)
		result = check_readable("token", options->token_file, error);
	if (result == 0)
		result = agent_new(loop, options, &process.agent, error);
	if (result == 0) {
		process.terminate.data = process.interrupt.data = &process;
		uv_signal_init(loop, &process.terminate);
		uv_signal_init(loop, &process.interrupt);
		uv_signal_start(&process.terminate, on_signal, SIGTERM);
		uv_signal_start(&process.interrupt, on_signal, SIGINT);
		log_info("skep-node-agent %s on node %s is ready", SKEP_VERSION, options->node);
	}
	/* Also after a failure: what was set up ends on the loop. */
	uv_run(loop, UV_RUN_DEFAULT);
	uv_loop_close(loop);
	return result;
}

int main(int argc, char *argv[])
{
	struct agent_options options;
	struct error error;
	int result = agent_options_parse(argc, argv, &options, &error);

	if (result == 0 && options.help) {
		agent_options_print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (result == 0 && options.version) {
		puts("skep-node-agent " SKEP_VERSION);
		return EXIT_SUCCESS;
	}
	if (result == 0) {
		log_set_level(options.log_level);
		signal(SIGPIPE, SIG_IGN);
		raise_descriptor_limit();
		keep_heap_small();
		result = run(&options, &error);
	}
	if (result < 0)
		fprintf(stderr, "skep-node-agent: %s\n", error.message);
	return result < 0 ? EXIT_UNUSABLE : EXIT_SUCCESS;
}
