/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Makes the certificates with which the operator proves itself to agents. No I/O. */
#ifndef SKEP_OPERATOR_PKI_H
#define SKEP_OPERATOR_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "lib/base/error.h"

#define PKI_CA_DAYS	     3650
#define PKI_CERTIFICATE_DAYS 365

/* PEM texts, owned. */
struct pki_bundle {
	char *ca_certificate;
	char *ca_key;
	char *certificate; /* of the server, signed by the CA */
	char *key;
};

/* Makes a CA and a server certificate for `names` (DNS names; P-256, SHA-256), valid from `now`. */
int pki_bundle_make(const char *const names[], size_t count, time_t now,
		    struct pki_bundle *ret_bundle, struct error *error);

/*
 * Whether the bundle serves: the texts parse, key and certificate belong together, the CA signed
 * the certificate, it carries `name`, and it holds for `margin_seconds` more.
 */
bool pki_bundle_is_good(const struct pki_bundle *bundle, const char *name, time_t now,
			time_t margin_seconds);

void pki_bundle_free(struct pki_bundle *bundle);

#endif
