/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The command line of the operator. */
#ifndef SKEP_OPERATOR_OPTIONS_H
#define SKEP_OPERATOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/endpoint.h"
#include "lib/base/error.h"
#include "lib/base/log.h"

/* Strings belong to the command line or the environment. */
struct operator_options {
	const char *kubeconfig; /* NULL: the pod's own service account */
	const char *namespace;
	const char *agent_service_account; /* its name in `namespace` */
	struct endpoint agent_listen;
	struct endpoint api_listen;
	struct endpoint http_listen;
	bool leader_elect;
	const char *pod; /* "" outside of one; likewise its UID and address */
	const char *pod_uid;
	const char *pod_address;
	const char *tls_certificate; /* PEM files, "" where none are given */
	const char *tls_key;
	const char *tls_ca;
	time_t tls_life; /* of certificates that the operator makes itself */
	uint32_t lease_duration_ms, lease_deadline_ms, lease_retry_ms; /* see lib/kube/lease.h */
	enum log_level log_level;
	bool help;
	bool version;
};

/*
 * Reads the command line. With --help or --version, only that member is set. -EINVAL, with a
 * message that names the option and the remedy.
 */
int operator_options_parse(int argc, char *argv[], struct operator_options *ret_options,
			   struct error *error);

/* Writes what --help says. */
void operator_options_print_help(FILE *out);

#endif
