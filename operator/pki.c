// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/pki.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"

#define CURVE		  "P-256"
#define CA_NAME		  "skep-operator CA"
#define SERIAL_BYTES	  16
#define DAY_SECONDS	  (24 * 60 * 60)
#define BACKDATE_SECONDS  (5 * 60) /* clocks of nodes may be behind */
#define COMMON_NAME_LIMIT 64	   /* RFC 5280, appendix A: ub-common-name */

static void certificate_free(X509 **certificate)
{
	X509_free(*certificate);
}

#define cleanup_certificate __attribute__((cleanup(certificate_free)))

/* Who a certificate is for, and what it may do. */
struct profile {
	const char *common_name;
	const char *constraints;
	const char *usage;
	const char *extended_usage; /* or NULL */
	const char *names;	    /* subjectAltName, or NULL */
	int days;
};

static int openssl_error(struct error *error, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(error, EIO, "make certificates: %s: %s", what,
			 reason ? reason : "OpenSSL does not say why");
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

static bool times_set(X509 *certificate, time_t now, int days)
{
	time_t start = now - BACKDATE_SECONDS, end = now + (time_t)days * DAY_SECONDS;

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

static bool extensions_set(X509 *certificate, X509 *issuer, const struct profile *profile)
{
	return extension_add(certificate, issuer, NID_basic_constraints, profile->constraints) &&
	       extension_add(certificate, issuer, NID_key_usage, profile->usage) &&
	       extension_add(certificate, issuer, NID_ext_key_usage, profile->extended_usage) &&
	       extension_add(certificate, issuer, NID_subject_key_identifier, "hash") &&
	       extension_add(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
	       extension_add(certificate, issuer, NID_subject_alt_name, profile->names);
}

/* Signed by the issuer, or by itself where `issuer` is NULL. Returns NULL on error. */
static X509 *certificate_make(const struct profile *profile, EVP_PKEY *key, X509 *issuer,
			      EVP_PKEY *issuer_key, time_t now)
{
	cleanup_certificate X509 *certificate = X509_new();
	X509 *signer = issuer ? issuer : certificate;

	if (!certificate || !X509_set_version(certificate, X509_VERSION_3) ||
	    !serial_set(certificate) || !times_set(certificate, now, profile->days) ||
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

static char *certificate_text(X509 *certificate)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *text = memory && PEM_write_bio_X509(memory, certificate) ? bio_text(memory) : NULL;

	BIO_free(memory);
	return text;
}

static char *key_text(EVP_PKEY *key)
{
	BIO *memory = BIO_new(BIO_s_secmem());
	char *text = NULL;

	if (memory && PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL))
		text = bio_text(memory);
	BIO_free(memory);
	return text;
}

/* A name that could end its place in OpenSSL's configuration syntax is none. */
static bool dns_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length && length <= 253 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") ==
		       length;
}

/* "DNS:a,DNS:b" */
static int names_join(const char *const names[], size_t count, struct text *joined,
		      struct error *error)
{
	if (!count)
		return error_set(error, EINVAL, "make certificates: no DNS name is given");
	for (size_t i = 0; i < count; i++) {
		if (!dns_name_is_valid(names[i]))
			return error_set(error, EINVAL, "make certificates: \"%s\" is no DNS name",
					 names[i]);
		text_append_format(joined, "%sDNS:%s", i ? "," : "", names[i]);
	}
	return joined->failed ? error_set_errno(error, ENOMEM, "make certificates") : 0;
}

/* The four of a bundle, as OpenSSL has them. */
struct material {
	X509 *ca_certificate, *certificate;
	EVP_PKEY *ca_key, *key;
};

static void material_free(struct material *material)
{
	X509_free(material->ca_certificate);
	X509_free(material->certificate);
	EVP_PKEY_free(material->ca_key);
	EVP_PKEY_free(material->key);
}

#define cleanup_material __attribute__((cleanup(material_free)))

static int ca_make(struct material *material, time_t now, struct error *error)
{
	static const struct profile profile = {
		.common_name = CA_NAME,
		.constraints = "critical,CA:TRUE,pathlen:0",
		.usage = "critical,keyCertSign,cRLSign",
		.days = PKI_CA_DAYS,
	};

	material->ca_key = EVP_EC_gen(CURVE);
	if (!material->ca_key)
		return openssl_error(error, "the key of the CA");
	material->ca_certificate =
		certificate_make(&profile, material->ca_key, NULL, material->ca_key, now);
	return material->ca_certificate ? 0 : openssl_error(error, "the CA");
}

static int server_make(struct material *material, const char *common_name, const char *names,
		       time_t now, struct error *error)
{
	struct profile profile = {
		.common_name = common_name,
		.constraints = "critical,CA:FALSE",
		.usage = "critical,digitalSignature",
		.extended_usage = "serverAuth",
		.names = names,
		.days = PKI_CERTIFICATE_DAYS,
	};

	material->key = EVP_EC_gen(CURVE);
	if (!material->key)
		return openssl_error(error, "the key of the server");
	material->certificate = certificate_make(&profile, material->key, material->ca_certificate,
						 material->ca_key, now);
	return material->certificate ? 0 : openssl_error(error, "the certificate of the server");
}

static int bundle_write(const struct material *material, struct pki_bundle *ret_bundle,
			struct error *error)
{
	struct pki_bundle bundle = {
		.ca_certificate = certificate_text(material->ca_certificate),
		.ca_key = key_text(material->ca_key),
		.certificate = certificate_text(material->certificate),
		.key = key_text(material->key),
	};

	if (!bundle.ca_certificate || !bundle.ca_key || !bundle.certificate || !bundle.key) {
		pki_bundle_free(&bundle);
		return openssl_error(error, "write as PEM");
	}
	*ret_bundle = bundle;
	return 0;
}

int pki_bundle_make(const char *const names[], size_t count, time_t now,
		    struct pki_bundle *ret_bundle, struct error *error)
{
	cleanup_material struct material material = {0};
	cleanup_text struct text joined = TEXT_EMPTY;
	int result = names_join(names, count, &joined, error);

	if (result == 0)
		result = ca_make(&material, now, error);
	if (result == 0)
		result = server_make(&material, names[0], joined.data, now, error);
	return result < 0 ? result : bundle_write(&material, ret_bundle, error);
}

/* A password is never asked for on a terminal. */
static int no_password(char *buffer, int size, int for_writing, void *context)
{
	(void)buffer, (void)size, (void)for_writing, (void)context;
	return -1;
}

static X509 *certificate_read(const char *text)
{
	BIO *memory = BIO_new_mem_buf(text, -1);
	X509 *certificate = memory ? PEM_read_bio_X509(memory, NULL, no_password, NULL) : NULL;

	BIO_free(memory);
	return certificate;
}

static EVP_PKEY *key_read(const char *text)
{
	BIO *memory = BIO_new_mem_buf(text, -1);
	EVP_PKEY *key = memory ? PEM_read_bio_PrivateKey(memory, NULL, no_password, NULL) : NULL;

	BIO_free(memory);
	return key;
}

static bool bundle_read(const struct pki_bundle *bundle, struct material *material)
{
	if (!bundle->ca_certificate || !bundle->ca_key || !bundle->certificate || !bundle->key)
		return false;
	material->ca_certificate = certificate_read(bundle->ca_certificate);
	material->ca_key = key_read(bundle->ca_key);
	material->certificate = certificate_read(bundle->certificate);
	material->key = key_read(bundle->key);
	return material->ca_certificate && material->ca_key && material->certificate &&
	       material->key;
}

static bool holds_from_to(const X509 *certificate, time_t from, time_t to)
{
	return X509_cmp_time(X509_get0_notBefore(certificate), &from) < 0 &&
	       X509_cmp_time(X509_get0_notAfter(certificate), &to) > 0;
}

/* As a TLS client would see it at `moment`: signed, for a server, and for `name`. */
static bool client_accepts(const struct material *material, const char *name, time_t moment)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	X509_STORE *store = X509_STORE_new();
	X509_VERIFY_PARAM *parameters;
	bool good = check && store && X509_STORE_add_cert(store, material->ca_certificate) &&
		    X509_STORE_CTX_init(check, store, material->certificate, NULL);

	if (good) {
		parameters = X509_STORE_CTX_get0_param(check);
		X509_VERIFY_PARAM_set_time(parameters, moment);
		X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
		X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		good = X509_VERIFY_PARAM_set1_host(parameters, name, 0) &&
		       X509_verify_cert(check) == 1;
	}
	X509_STORE_CTX_free(check);
	X509_STORE_free(store);
	return good;
}

bool pki_bundle_is_good(const struct pki_bundle *bundle, const char *name, time_t now,
			time_t margin_seconds)
{
	cleanup_material struct material material = {0};
	bool good = bundle_read(bundle, &material) &&
		    X509_check_private_key(material.certificate, material.key) == 1 &&
		    X509_check_private_key(material.ca_certificate, material.ca_key) == 1 &&
		    holds_from_to(material.certificate, now, now + margin_seconds) &&
		    holds_from_to(material.ca_certificate, now, now + margin_seconds) &&
		    client_accepts(&material, name, now);

	ERR_clear_error();
	return good;
}

/* Keys are wiped before their memory goes back. */
static void secret_free(char *secret)
{
	if (secret)
		OPENSSL_cleanse(secret, strlen(secret));
	free(secret);
}

void pki_bundle_free(struct pki_bundle *bundle)
{
	free(bundle->ca_certificate);
	secret_free(bundle->ca_key);
	free(bundle->certificate);
	secret_free(bundle->key);
	*bundle = (struct pki_bundle){0};
}
