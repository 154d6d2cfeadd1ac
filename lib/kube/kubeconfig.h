/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Reads a kubeconfig (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/): the cluster
 * and the user of its current context.
 */
#ifndef SKEP_LIB_KUBE_KUBECONFIG_H
#define SKEP_LIB_KUBE_KUBECONFIG_H

#include <stddef.h>

#include "lib/kube/config.h"

#define KUBECONFIG_SIZE_LIMIT (1 << 20) /* bytes */

/* Reads the file at `path`. Returns 0 with *ret_config filled, or a negative errno. */
int kubeconfig_load(const char *path, struct kube_config *ret_config, struct error *error);

/*
 * Reads a kubeconfig's text. File names in it are relative to `directory`. A way to log in that is
 * not offered here (exec, auth-provider, password) is an error and not left out. Pure.
 */
int kubeconfig_parse(const char *text, size_t length, const char *directory,
		     struct kube_config *ret_config, struct error *error);

#endif
