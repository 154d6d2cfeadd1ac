/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the parts of the client share: client.c owns it, transfer.c works with it. */
#ifndef SKEP_LIB_KUBE_CLIENT_INTERNAL_H
#define SKEP_LIB_KUBE_CLIENT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uv.h>

#include "lib/kube/config.h"
#include "lib/kube/curl_loop.h"
#include "lib/kube/event_memory.h"
#include "lib/kube/file_mark.h"
#include "lib/kube/token_source.h"

struct kube_transfer;

TAILQ_HEAD(kube_transfer_list, kube_transfer);

struct kube_client {
	struct kube_config config;
	struct token_source token;
	uv_loop_t *uv;
	struct curl_loop *curl_loop;
	struct file_mark certificate;	     /* of the client, as it was when curl_loop was made */
	uint64_t heard_ms;		     /* when the server last said anything, uv_now() */
	bool is_distrusted;		     /* its connections are to be given up */
	struct kube_transfer_list transfers; /* all that are under way */
	struct kube_transfer_list received;  /* streams with data that is not handed on yet */
	uint32_t event_serial;		     /* of the next Event; random at the start */
	struct event_memory events;
};

/*
 * Gives all connections up: what is under way fails with `reason`, what comes next makes new ones.
 * Calls handlers.
 */
void kube_client_reconnect(struct kube_client *client, const char *reason);

/*
 * What was due from the server since `since_ms` (uv_now()) has not come in time. If the server has
 * said nothing else since then either, its connection is taken for dead, whatever TCP thinks of it;
 * with HTTP/2 all that comes next would go the same way. Calls handlers.
 */
void kube_client_suspect(struct kube_client *client, uint64_t since_ms);

/* The server does not know us any more: tokens are read again, and changed certificates used. */
void kube_client_refused(struct kube_client *client);

#endif
