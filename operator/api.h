/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The operator's API for people and programs, over TLS: `GET /api/v1/edges`. Who asks is known by
 * their Kubernetes token and sees what their rights in the cluster let them see.
 */
#ifndef SKEP_OPERATOR_API_H
#define SKEP_OPERATOR_API_H

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "operator/cluster.h"
#include "operator/edges.h"
#include "operator/leader.h"
#include "operator/pki.h"

#define API_CONNECTIONS_LIMIT	64
#define API_REQUESTS_LIMIT	16 /* that are being answered; more are told to come again */
#define API_USER_REQUESTS_LIMIT 4  /* of one user */

struct api;

struct api_settings {
	const char *address; /* to listen on; "" for all */
	int port;
};

/*
 * Starts to serve; what it is given must outlive it. Where another operator leads, it refuses and
 * says which. Returns 0 with *ret_api.
 */
int api_new(uv_loop_t *loop, struct kube_client *client, const struct api_settings *settings,
	    const struct pki_bundle *bundle, const struct cluster *cluster,
	    const struct edges *edges, const struct leader *leader, struct api **ret_api,
	    struct error *error);

/* Serves who comes from now on with another certificate. */
int api_set_certificate(struct api *api, const struct pki_bundle *bundle, struct error *error);

/* To be called after kube_client_free(). Returns NULL. */
struct api *api_free(struct api *api);

#endif
