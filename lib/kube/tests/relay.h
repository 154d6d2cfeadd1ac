/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Passes bytes on between clients and a server on loopback, until it is told to stand still. */
#ifndef SKEP_LIB_KUBE_TESTS_RELAY_H
#define SKEP_LIB_KUBE_TESTS_RELAY_H

#include <stdbool.h>
#include <sys/queue.h>

#include <uv.h>

struct relay_pair;

struct relay {
	uv_tcp_t listener;
	int port;
	int server_port;
	unsigned int connections_made;
	LIST_HEAD(, relay_pair) pairs;
};

/* Listens on a free port, which `port` tells, for connections to `server_port`. */
void relay_start(struct relay *relay, uv_loop_t *loop, int server_port);

/* What comes over the present connections is read and thrown away; later ones work. */
void relay_freeze(struct relay *relay);

/* Ends all; the loop must run on. */
void relay_stop(struct relay *relay);

#endif
