/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the parts of the client share: client.c owns it, transfer.c works with it. */
#ifndef SKEP_LIB_KUBE_CLIENT_INTERNAL_H
#define SKEP_LIB_KUBE_CLIENT_INTERNAL_H

#include <stdint.h>
#include <sys/queue.h>

#include <uv.h>

#include "lib/kube/config.h"
#include "lib/kube/curl_loop.h"
#include "lib/kube/token_source.h"

struct kube_transfer;

TAILQ_HEAD(kube_transfer_list, kube_transfer);

struct kube_client {
	struct kube_config config;
	struct token_source token;
	uv_loop_t *uv;
	struct curl_loop *curl_loop;
	struct kube_transfer_list transfers; /* all that are under way */
	struct kube_transfer_list received;  /* streams with data that is not handed on yet */
	uint32_t event_serial;		     /* of the next Event; random at the start */
};

#endif
