/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * For tests of the agent's program: a real link server that says what the test tells it to, the
 * agent as a child process, and cgroups of pods in the real hierarchy.
 */
#ifndef SKEP_NODE_AGENT_TESTS_OPERATOR_DOUBLE_H
#define SKEP_NODE_AGENT_TESTS_OPERATOR_DOUBLE_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include <bpf/bpf.h>
#include <cjson/cJSON.h>

#include "lib/base/text.h"
#include "lib/link/server.h"
#include "operator/pki.h"

#define DOUBLE_PATH_SIZE 512

struct operator_double {
	uv_loop_t loop;
	uv_timer_t tick; /* so that a wait for something outside the loop goes on */
	struct net_context *net;
	struct link_server *server;
	struct link_peer *peer;
	struct pki_bundle bundle;
	int port, http_port;
	char folder[DOUBLE_PATH_SIZE];	 /* files of the test */
	char kubepods[DOUBLE_PATH_SIZE]; /* .../skep-test-<pid>/kubepods */
	pid_t agent;
	pid_t talker; /* see pod_talk() */
	int order;    /* to it */
	int events;   /* what the agent writes to its standard output */
	struct text event_text;
	cJSON *hello, *report, *lookup, *edges; /* the last ones */
	unsigned int hellos, reports;
};

void double_start(struct operator_double *operator);
void double_stop(struct operator_double *operator);

/* Stops listening, and listens again on the same port. */
void double_go_away(struct operator_double *operator);
void double_come_back(struct operator_double *operator);

/* Runs the agent's program. */
void agent_start(struct operator_double *operator);
/* Sends the signal, waits for the end, returns the status as waitpid() gives it. */
int agent_end(struct operator_double *operator, int signal_number);

/* Runs the loop until `done` is true; false when that takes longer than the patience of a test. */
bool double_wait(struct operator_double *operator, bool (*done)(struct operator_double *));

/* Sends a message that is given as JSON text in printf's way. */
void double_send(struct operator_double *operator, const char * format, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes and removes the folder of a pod, or of a container in it (`name` not NULL). */
void pod_make(struct operator_double *operator, const char * uid, const char *container);
void pod_remove(struct operator_double *operator, const char * uid, const char *container);

/* How many programs are attached to the pod's cgroup, by the kernel's own word; -1: no cgroup. */
int pod_programs(struct operator_double *operator, const char * uid, const char *container,
		 enum bpf_attach_type type);

/* Runs /bin/true with one argument in a container's cgroup. */
void pod_exec(struct operator_double *operator, const char * uid, const char *container,
	      const char *argument);

/*
 * Starts a process of the pod, in a network of its own, with a connection to itself at `address`,
 * port 8080, over which it sends 1,000 bytes, and as many again with each pod_talk_more(). One at a
 * time; it ends with the test.
 */
void pod_talk(struct operator_double *operator, const char * uid, const char *address);
void pod_talk_more(const struct operator_double *operator);

/* The agent's answer to GET `path`, owned by the caller; NULL where it does not answer. */
char *agent_get(struct operator_double *operator, const char * path);

#endif
