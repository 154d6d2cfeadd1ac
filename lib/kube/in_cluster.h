/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The configuration that Kubernetes gives to every pod: two variables and mounted files. */
#ifndef SKEP_LIB_KUBE_IN_CLUSTER_H
#define SKEP_LIB_KUBE_IN_CLUSTER_H

#include "lib/kube/config.h"

#define IN_CLUSTER_DIRECTORY "/var/run/secrets/kubernetes.io/serviceaccount"

/*
 * Fills *ret_config from the values of KUBERNETES_SERVICE_HOST and _PORT (NULL where unset) and the
 * files "token" and "ca.crt" of `directory`, which must be readable. Returns 0 or a negative errno.
 */
int in_cluster_load(const char *host, const char *port, const char *directory,
		    struct kube_config *ret_config, struct error *error);

#endif
