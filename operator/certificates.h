/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The operator's certificates at the API server: kept in the Secret `skep-operator-tls`, their CAs
 * published for agents in a ConfigMap. Made once, found again, and renewed in time. All operators
 * of the cluster share them; each looks again and again, and of two that would change them at one
 * time, one finds that the other did.
 */
#ifndef SKEP_OPERATOR_CERTIFICATES_H
#define SKEP_OPERATOR_CERTIFICATES_H

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "operator/pki.h"

#define CERTIFICATES_LOOK_MS 600000 /* at most; more often where certificates live shortly */

struct certificates;

/*
 * There is something to serve with, or something new. The bundle belongs to the certificates and
 * lives until the next call.
 */
typedef void (*certificates_handler)(void *context, const struct pki_bundle *bundle);

/*
 * Finds or makes the certificates in `namespace`, tries until the API server has both objects, then
 * calls `ready`, and again whenever the certificate is another. Returns 0 with *ret_certificates,
 * to be ended with certificates_free().
 */
int certificates_new(struct kube_client *client, uv_loop_t *loop, const char *namespace,
		     const struct pki_lives *lives, certificates_handler ready, void *context,
		     struct certificates **ret_certificates, struct error *error);

/* To be called after kube_client_free(), which ends the requests under way. Returns NULL. */
struct certificates *certificates_free(struct certificates *certificates);

#endif
