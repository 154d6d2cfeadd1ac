/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Two real API servers on one etcd, for tests: on loopback and in a temporary directory, from the
 * programs in $SKEP_KUBERNETES, and a client of each on one loop.
 */
#ifndef SKEP_LIB_KUBE_TESTS_REAL_API_SERVER_H
#define SKEP_LIB_KUBE_TESTS_REAL_API_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include <uv.h>

#include "lib/kube/client.h"

#define NAMESPACE_PATH "/api/v1/namespaces/default"
#define CONFIG_MAPS    NAMESPACE_PATH "/configmaps"

/* An API server and a client of it. */
struct server {
	int port;
	pid_t process;
	struct kube_client *client;
};

extern struct cluster {
	uv_loop_t loop;
	char directory[64];
	int etcd_port;
	pid_t etcd;
	struct server first;
	struct server second; /* on the same etcd */
} cluster;

/* What a call brought. */
struct answer {
	bool has_come;
	int status;
	char *reason;
	cJSON *body;
};

/* Of a group of tests. Where $SKEP_KUBERNETES is not set, need_cluster() skips the test. */
int start_cluster(void **state);
int stop_cluster(void **state);
void need_cluster(void);

/* Starts an API server, again on its port where it has one, and makes a client of it. */
void server_start(struct server *server);

/* Ends a program, if it runs. */
void finish(pid_t *process, int signal);

/* A client of whoever listens at a port of loopback. */
struct kube_client *client_of(int port);

/* What printf() would print; the caller frees it. */
char *format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

/* Writes a file of the directory, where certificate and key lie too (tls.crt, tls.key). */
void write_file(const char *name, const char *contents);

/* Runs the loop for some milliseconds. */
void run_for(uint64_t milliseconds);

/* A kube_response_handler, which fills a struct answer. */
void on_response(void *context, const struct kube_response *response);

/* Sends a request and waits for the answer; `json` is NULL or the body. */
struct answer call(struct kube_client *client, const char *method, const char *path,
		   const char *type, const char *json);
void answer_free(struct answer *answer);

/* call() where another status than `status` fails the test. */
void must(struct kube_client *client, const char *method, const char *path, const char *type,
	  const char *json, int status);

/* Asks again until the status comes. */
void await_status(struct kube_client *client, const char *method, const char *path,
		  const char *json, int status);

#endif
