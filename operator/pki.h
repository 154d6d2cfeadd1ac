/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The certificates with which the operator proves itself to agents: made, and renewed in time. No
 * I/O; time comes in as a number.
 *
 * A CA is followed by the next one in three steps, so that whoever reads what is published now and
 * then trusts the operator at every moment: the next one is published beside it; after a while the
 * next one signs; the old one stays published until it ends.
 */
#ifndef SKEP_OPERATOR_PKI_H
#define SKEP_OPERATOR_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "lib/base/error.h"

#define PKI_DAY_SECONDS	     (24 * 60 * 60)
#define PKI_CA_DAYS	     3650
#define PKI_CERTIFICATE_DAYS 365

/* In seconds. CAs and certificates are renewed after two thirds of their lives. */
struct pki_lives {
	time_t ca;
	time_t certificate;
	time_t publish; /* for which a CA is published before it signs */
};

extern const struct pki_lives pki_lives; /* ten years, one year, one day */

/* PEM texts, owned. What there may be none of is NULL. */
struct pki_bundle {
	char *ca_certificate;
	char *ca_key;
	char *certificate; /* of the server, signed by the CA */
	char *key;
	char *next_ca_certificate;
	char *next_ca_key;
	time_t next_published; /* since when the next CA is; 0 before that */
	char *old_ca_certificate;
};

/* DNS names, of which the first is that by which agents know the operator. */
struct pki_names {
	const char *const *names;
	size_t count;
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

enum pki_step {
	PKI_KEEP,
	PKI_MAKE,	/* all anew: there is none, or none that can be gone on with */
	PKI_RENEW,	/* the certificate, by the same CA */
	PKI_PREPARE_CA, /* make the next one */
	PKI_PROMOTE_CA, /* the next one signs from now on */
};

/* What is due. */
enum pki_step pki_next_step(const struct pki_bundle *bundle, const char *name,
			    const struct pki_lives *lives, time_t now);

/* From when on its certificate is to be renewed; 0 where there is none that can be read. */
time_t pki_bundle_worn_at(const struct pki_bundle *bundle);

/* Does it, in place. On failure the bundle is as it was. */
int pki_bundle_step(struct pki_bundle *bundle, enum pki_step step, const struct pki_names *names,
		    const struct pki_lives *lives, time_t now, struct error *error);

/* All CAs to be trusted, as PEM, the caller's to free; NULL when memory ran out. */
char *pki_bundle_trusted(const struct pki_bundle *bundle, time_t now);

void pki_bundle_free(struct pki_bundle *bundle);

#endif
