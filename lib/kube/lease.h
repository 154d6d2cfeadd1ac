/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * One of several processes holds a Lease (coordination.k8s.io/v1) and does the work; the others
 * wait for it to end. A holder that cannot renew in time gives up before anybody else may begin.
 */
#ifndef SKEP_LIB_KUBE_LEASE_H
#define SKEP_LIB_KUBE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/kube/client.h"

struct kube_lease;

struct kube_lease_settings {
	const char *namespace;
	const char *name;
	const char *identity; /* of this process, and of no other that may be alive */
	uint32_t
		duration_ms; /* whole seconds: for so long, others leave an unchanged Lease alone */
	uint32_t deadline_ms; /* less: a holder that has not renewed for so long gives up */
	uint32_t retry_ms;    /* less: between renewals, and between looks of those who wait */
};

struct kube_lease_handlers {
	void (*acquired)(void *context);
	/* Called before anybody else may hold it, unless this process slept meanwhile. */
	void (*lost)(void *context, const char *why);
};

/* Starts to try; `settings` and `handlers` are copied. No handler is called from within. */
int kube_lease_new(struct kube_client *client, uv_loop_t *loop,
		   const struct kube_lease_settings *settings,
		   const struct kube_lease_handlers *handlers, void *context,
		   struct kube_lease **ret_lease, struct error *error);

/*
 * Whether it is held at this very moment, by the clock. Between the end of the deadline and the
 * call of `lost` it says no: to be asked before what only the holder may do.
 */
bool kube_lease_is_held(const struct kube_lease *lease);

/* Who was last seen to hold it, "" for nobody. */
const char *kube_lease_holder(const struct kube_lease *lease);

/*
 * Gives it up and tells the API server so, that another need not wait; `lost` is not called.
 * `done` is called once, at once where there is nothing to give up.
 */
void kube_lease_release(struct kube_lease *lease, void (*done)(void *context), void *context);

/* To be called before kube_client_free(). Returns NULL; the loop must run on for its memory. */
struct kube_lease *kube_lease_free(struct kube_lease *lease);

#endif
