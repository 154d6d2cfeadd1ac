/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The form in which a Secret holds the certificates. Pure. */
#ifndef SKEP_OPERATOR_CERTIFICATES_SECRET_H
#define SKEP_OPERATOR_CERTIFICATES_SECRET_H

#include <cjson/cJSON.h>

#include "operator/pki.h"

#define CERTIFICATES_SECRET_NAME "skep-operator-tls"

/*
 * What the Secret holds; what it does not hold, or not as text, is NULL. -ENOMEM: for want of
 * memory nothing is known, which must not be taken for nothing being there.
 */
int certificates_secret_decode(const cJSON *secret, struct pki_bundle *ret_bundle);

/*
 * The Secret with this bundle: a new one, or, where `version` is that of the one that is there, a
 * merge patch of that and of no other. NULL when memory ran out; the caller frees it.
 */
cJSON *certificates_secret_encode(const struct pki_bundle *bundle, const char *version);

#endif
