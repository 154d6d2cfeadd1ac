/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Where the API server is and how to prove who we are: in-cluster files or a kubeconfig. */
#ifndef SKEP_LIB_KUBE_CONFIG_H
#define SKEP_LIB_KUBE_CONFIG_H

#include "lib/base/error.h"

/* All strings are owned by the struct; NULL where not given. */
struct kube_config {
	char *server;		/* https://host:port, without a slash at the end */
	char *ca_file;		/* path of the CA bundle */
	char *ca_data;		/* or the bundle itself, PEM */
	char *certificate_file; /* client certificate and key: paths, or PEM */
	char *certificate_data;
	char *key_file;
	char *key_data;
	char *token;	  /* fixed bearer token */
	char *token_file; /* or a file that holds it and is read again when it changes */
};

/*
 * Reads the kubeconfig at `path` (its current context), or, with `path` NULL, the pod's own service
 * account (KUBERNETES_SERVICE_HOST and _PORT, /var/run/secrets/kubernetes.io/serviceaccount).
 * Returns 0 with *ret_config filled (release it with kube_config_free()) or a negative errno.
 */
int kube_config_load(const char *path, struct kube_config *ret_config, struct error *error);

/* Copies every string. Returns 0 with *ret_copy (kube_config_free()) or -ENOMEM. */
int kube_config_copy(const struct kube_config *config, struct kube_config *ret_copy);

/* Frees the strings; the struct is empty afterwards. */
void kube_config_free(struct kube_config *config);

#endif
