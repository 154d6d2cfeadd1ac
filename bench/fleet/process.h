/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The operator under test: a process of its own, watched from outside. */
#ifndef SKEP_BENCH_FLEET_PROCESS_H
#define SKEP_BENCH_FLEET_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid; /* 0: none */
	int agent_port;
	int http_port;
};

/*
 * Starts `program` by a kubeconfig; its log goes to `folder`/operator.log.
 * Ends the whole benchmark where that fails, as do the others below.
 */
void process_start(struct process *process, const char *program, const char *folder,
		   const char *kubeconfig);

/* Kills it (SIGKILL) and waits for its end. */
void process_kill(struct process *process);

/* Whether it says that it is ready. */
bool process_is_ready(const struct process *process);

/* KiB that it has resident now, and at most so far. */
uint64_t process_rss(const struct process *process);
uint64_t process_peak(const struct process *process);

/* CPU time that it has taken, in ms. */
uint64_t process_cpu_ms(const struct process *process);

/* A metric without labels, by name. */
double process_metric(const struct process *process, const char *name);

#endif
