// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/pki_x509.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "lib/base/cleanup.h"

#define SERIAL_BYTES	  16
#define COMMON_NAME_LIMIT 64 /* RFC 5280, appendix A: ub-common-name */

int pki_openssl_error(struct error *error, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(error, EIO, "make certificates: %s: %s", what,
			 reason ? reason : "OpenSSL does not say why");
}

static time_t time_read(const ASN1_TIME *moment)
{
	struct tm parts = {0};

	return moment && ASN1_TIME_to_tm(moment, &parts) ? timegm(&parts) : 0;
}

time_t pki_certificate_begin(const X509 *certificate)
{
	return time_read(X509_get0_notBefore(certificate));
}

time_t pki_certificate_end(const X509 *certificate)
{
	return time_read(X509_get0_notAfter(certificate));
}

static bool serial_set(X509 *certificate)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *number;
	bool good;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] &= 0x7f; /* positive in 16 octets (RFC 5280, 4.1.2.2) */
	bytes[0] |= 0x40; /* and never zero */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return good;
}

/* Clocks of nodes may be behind, but nothing holds longer than what vouches for it. */
static bool times_set(X509 *certificate, const X509 *issuer, time_t now, time_t life)
{
	time_t start = now - PKI_BACKDATE_SECONDS, end = now + life;

	if (issuer != certificate && end > pki_certificate_end(issuer))
		end = pki_certificate_end(issuer);
	return ASN1_TIME_set(X509_getm_notBefore(certificate), start) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), end);
}

static bool name_set(X509 *certificate, const char *common_name)
{
	size_t length = strnlen(common_name, COMMON_NAME_LIMIT);

	return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
					  (const unsigned char *)common_name, (int)length, -1, 0);
}

static bool extension_add(X509 *certificate, X509 *issuer, int kind, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool good;

	if (!value)
		return true;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	good = extension && X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return good;
}

static bool extensions_set(X509 *certificate, X509 *issuer, const struct pki_profile *profile)
{
	return extension_add(certificate, issuer, NID_basic_constraints, profile->constraints) &&
	       extension_add(certificate, issuer, NID_key_usage, profile->usage) &&
	       extension_add(certificate, issuer, NID_ext_key_usage, profile->extended_usage) &&
	       extension_add(certificate, issuer, NID_subject_key_identifier, "hash") &&
	       extension_add(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
	       extension_add(certificate, issuer, NID_subject_alt_name, profile->names);
}

X509 *pki_certificate_make(const struct pki_profile *profile, EVP_PKEY *key, X509 *issuer,
			   EVP_PKEY *issuer_key, time_t now)
{
	cleanup_certificate X509 *certificate = X509_new();
	X509 *signer = issuer ? issuer : certificate;

	if (!certificate || !X509_set_version(certificate, X509_VERSION_3) ||
	    !serial_set(certificate) || !times_set(certificate, signer, now, profile->life) ||
	    !name_set(certificate, profile->common_name) ||
	    !X509_set_issuer_name(certificate, X509_get_subject_name(signer)) ||
	    !X509_set_pubkey(certificate, key) || !extensions_set(certificate, signer, profile) ||
	    !X509_sign(certificate, issuer_key, EVP_sha256()))
		return NULL;
	return take_pointer(certificate);
}

static char *bio_text(BIO *memory)
{
	char *data = NULL;
	long length = BIO_get_mem_data(memory, &data);

	return length > 0 ? strndup(data, (size_t)length) : NULL;
}

char *pki_certificate_text(X509 *certificate)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *text = memory && PEM_write_bio_X509(memory, certificate) ? bio_text(memory) : NULL;

	BIO_free(memory);
	return text;
}

char *pki_key_text(EVP_PKEY *key)
{
	BIO *memory = BIO_new(BIO_s_secmem());
	char *text = NULL;

	if (memory && PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL))
		text = bio_text(memory);
	BIO_free(memory);
	return text;
}

/* A password is never asked for on a terminal. */
static int no_password(char *buffer, int size, int for_writing, void *context)
{
	(void)buffer, (void)size, (void)for_writing, (void)context;
	return -1;
}

X509 *pki_certificate_read(const char *text)
{
	BIO *memory = BIO_new_mem_buf(text, -1);
	X509 *certificate = memory ? PEM_read_bio_X509(memory, NULL, no_password, NULL) : NULL;

	BIO_free(memory);
	return certificate;
}

EVP_PKEY *pki_key_read(const char *text)
{
	BIO *memory = BIO_new_mem_buf(text, -1);
	EVP_PKEY *key = memory ? PEM_read_bio_PrivateKey(memory, NULL, no_password, NULL) : NULL;

	BIO_free(memory);
	return key;
}
