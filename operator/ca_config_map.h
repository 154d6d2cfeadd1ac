/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The ConfigMap `skep-operator-ca`, by which agents know whom to trust. */
#ifndef SKEP_OPERATOR_CA_CONFIG_MAP_H
#define SKEP_OPERATOR_CA_CONFIG_MAP_H

#include "lib/kube/client.h"

#define CA_CONFIG_MAP_NAME "skep-operator-ca"

/* Publishes these CAs (PEM). The handler is called once, as with kube_request(). */
int ca_config_map_publish(struct kube_client *client, const char *namespace, const char *trusted,
			  kube_response_handler handler, void *context, struct error *error);

#endif
