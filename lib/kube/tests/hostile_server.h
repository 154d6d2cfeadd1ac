/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * An API server for tests, on loopback and on the test's own loop: it answers lists, in pages, and
 * watches from a truth, over TLS where it has a certificate, and goes wrong in each way that it is
 * told to.
 */
#ifndef SKEP_LIB_KUBE_TESTS_HOSTILE_SERVER_H
#define SKEP_LIB_KUBE_TESTS_HOSTILE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "lib/kube/tests/truth.h"

/* What goes wrong with an answer. */
enum hostile_fault_kind {
	FAULT_NONE,
	FAULT_STATUS,	   /* another status than 200, with `headers` and `body` */
	FAULT_RESET,	   /* the connection is reset after `at` bytes of the answer */
	FAULT_END,	   /* the connection ends in an orderly way after `at` bytes */
	FAULT_FREEZE,	   /* nothing more comes after `at` bytes, the connection stays */
	FAULT_DRIP,	   /* after `at` bytes they come one by one, slowly */
	FAULT_ERROR_EVENT, /* a watch begins with an ERROR event of `body` */
	FAULT_TRUNCATE,	   /* the first line of a watch ends after half of it */
	FAULT_DUPLICATE,   /* each event of a watch comes twice */
	FAULT_REORDER,	   /* two events of a watch change places, and then it ends */
	FAULT_SAME_PAGE,   /* a page names itself as the next one */
};

enum hostile_place { PLACE_LIST, PLACE_LATER_PAGE, PLACE_WATCH };

struct hostile_fault {
	enum hostile_fault_kind kind;
	enum hostile_place place;
	unsigned int times; /* so many answers go wrong */
	size_t at;
	int status;
	const char *headers; /* each with its line end, or NULL */
	const char *body;    /* or NULL */
};

struct hostile_connection;

struct hostile_server {
	uv_loop_t *loop;
	uv_tcp_t listener;
	uv_timer_t dripping;
	int port;
	struct truth truth;
	struct hostile_fault fault;
	const char *token;  /* that requests must show; NULL: none */
	SSL_CTX *tls;	    /* NULL: none */
	long client_serial; /* of the certificate that clients must show; 0: none */
	unsigned int lists, watches, refused, connections_made, faults_met;
	LIST_HEAD(, hostile_connection) connections;
};

/* Listens on a free port, which `port` tells; the truth has room for `objects`. */
void hostile_server_start(struct hostile_server *server, uv_loop_t *loop, size_t objects);

/* Stops listening and ends all connections; the loop must run on. The truth stays. */
void hostile_server_go(struct hostile_server *server);

/* Listens again on the same port. */
void hostile_server_return(struct hostile_server *server);

/* hostile_server_go(), and frees all. */
void hostile_server_stop(struct hostile_server *server);

/* From now on speaks TLS, with certificate and key from one PEM file. */
void hostile_server_use_tls(struct hostile_server *server, const char *file);

/* Sends what is new in the truth to all watches. */
void hostile_server_tell(struct hostile_server *server);

/* Ends all watches in an orderly way; their connections stay. */
void hostile_server_end_watches(struct hostile_server *server);

/* Ends all connections without a word. */
void hostile_server_hang_up(struct hostile_server *server);

#endif
