/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Single certificates and keys in OpenSSL's terms: made, read and written as PEM. No I/O. */
#ifndef SKEP_OPERATOR_PKI_X509_H
#define SKEP_OPERATOR_PKI_X509_H

#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/base/error.h"

#define PKI_BACKDATE_SECONDS (5 * 60) /* clocks of nodes may be behind */

static inline void pki_certificate_free(X509 **certificate)
{
	X509_free(*certificate);
}

#define cleanup_certificate __attribute__((cleanup(pki_certificate_free)))

static inline void pki_key_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

#define cleanup_key __attribute__((cleanup(pki_key_free)))

/* Who a certificate is for, and what it may do. */
struct pki_profile {
	const char *common_name;
	const char *constraints;
	const char *usage;
	const char *extended_usage; /* or NULL */
	const char *names;	    /* subjectAltName, or NULL */
	time_t life;		    /* in seconds, cut to that of the issuer */
};

/* Signed by the issuer, or by itself where `issuer` is NULL. Returns NULL on error. */
X509 *pki_certificate_make(const struct pki_profile *profile, EVP_PKEY *key, X509 *issuer,
			   EVP_PKEY *issuer_key, time_t now);

/* From when and until when it holds; 0 where that cannot be read. */
time_t pki_certificate_begin(const X509 *certificate);
time_t pki_certificate_end(const X509 *certificate);

/* PEM, the caller's to free; NULL on error. And back: NULL where it is none. */
char *pki_certificate_text(X509 *certificate);
char *pki_key_text(EVP_PKEY *key);
X509 *pki_certificate_read(const char *text);
EVP_PKEY *pki_key_read(const char *text);

/* Sets the error from the last of OpenSSL's, and clears its queue. Returns -EIO. */
int pki_openssl_error(struct error *error, const char *what);

#endif
