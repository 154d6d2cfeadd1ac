/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Certificates that the operator is given as files, such as a mounted Secret of cert-manager's.
 * They are read again and again; new ones serve new connections, as soon as all files fit together.
 */
#ifndef SKEP_OPERATOR_CERTIFICATE_FILES_H
#define SKEP_OPERATOR_CERTIFICATE_FILES_H

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "operator/certificates.h"

#define CERTIFICATE_FILES_LOOK_MS 10000
#define CERTIFICATE_FILE_LIMIT	  (64 << 10)

struct certificate_files;

/* PEM files; `ca` is published for agents, "" for none: they know it otherwise. */
struct certificate_paths {
	const char *certificate; /* of the server, with what is between it and the CA */
	const char *key;
	const char *ca;
};

/* As certificates_new(). The strings of `paths` must outlive it. */
int certificate_files_new(struct kube_client *client, uv_loop_t *loop, const char *namespace,
			  const struct certificate_paths *paths, certificates_handler ready,
			  void *context, struct certificate_files **ret_files, struct error *error);

/* To be called after kube_client_free(). Returns NULL. */
struct certificate_files *certificate_files_free(struct certificate_files *files);

#endif
