/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The operator's certificates at the API server: its own kept in the Secret `skep-operator-tls`,
 * its CA published for agents in the ConfigMap `skep-operator-ca`. Made once, then found again, so
 * that agents go on trusting an operator that was started anew.
 */
#ifndef SKEP_OPERATOR_CERTIFICATES_H
#define SKEP_OPERATOR_CERTIFICATES_H

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "operator/pki.h"

struct certificates;

/* The bundle lives as long as the certificates. Called once. */
typedef void (*certificates_handler)(void *context, const struct pki_bundle *bundle);

/*
 * Finds or makes the certificates in `namespace`, tries until the API server has both objects, then
 * calls `ready`. Returns 0 with *ret_certificates, to be ended with certificates_free().
 */
int certificates_new(struct kube_client *client, uv_loop_t *loop, const char *namespace,
		     certificates_handler ready, void *context,
		     struct certificates **ret_certificates, struct error *error);

/* To be called after kube_client_free(), which ends the requests under way. Returns NULL. */
struct certificates *certificates_free(struct certificates *certificates);

#endif
