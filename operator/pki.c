// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/pki.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "operator/pki_x509.h"

#define CURVE	"P-256"
#define CA_NAME "skep-operator CA"

const struct pki_lives pki_lives = {
	.ca = (time_t)PKI_CA_DAYS * PKI_DAY_SECONDS,
	.certificate = (time_t)PKI_CERTIFICATE_DAYS * PKI_DAY_SECONDS,
	.publish = PKI_DAY_SECONDS,
};

/* A name that could end its place in OpenSSL's configuration syntax is none. */
static bool dns_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length && length <= 253 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") ==
		       length;
}

/* "DNS:a,DNS:b" */
static int names_join(const struct pki_names *names, struct text *joined, struct error *error)
{
	if (!names->count)
		return error_set(error, EINVAL, "make certificates: no DNS name is given");
	for (size_t i = 0; i < names->count; i++) {
		if (!dns_name_is_valid(names->names[i]))
			return error_set(error, EINVAL, "make certificates: \"%s\" is no DNS name",
					 names->names[i]);
		text_append_format(joined, "%sDNS:%s", i ? "," : "", names->names[i]);
	}
	return joined->failed ? error_set_errno(error, ENOMEM, "make certificates") : 0;
}

/* Keys are wiped before their memory goes back. */
static void secret_free(char *secret)
{
	if (secret)
		OPENSSL_cleanse(secret, strlen(secret));
	free(secret);
}

static int ca_make(const struct pki_lives *lives, time_t now, char **ret_certificate,
		   char **ret_key, struct error *error)
{
	const struct pki_profile profile = {
		.common_name = CA_NAME,
		.constraints = "critical,CA:TRUE,pathlen:0",
		.usage = "critical,keyCertSign,cRLSign",
		.life = lives->ca,
	};
	cleanup_key EVP_PKEY *key = EVP_EC_gen(CURVE);
	cleanup_certificate X509 *certificate =
		key ? pki_certificate_make(&profile, key, NULL, key, now) : NULL;
	cleanup_free char *certificate_text =
		certificate ? pki_certificate_text(certificate) : NULL;
	char *key_text = certificate_text ? pki_key_text(key) : NULL;

	if (!key_text)
		return pki_openssl_error(error, "the CA");
	*ret_certificate = take_pointer(certificate_text);
	*ret_key = key_text;
	return 0;
}

static X509 *server_sign(const char *ca_certificate, const char *ca_key, EVP_PKEY *key,
			 const struct pki_profile *profile, time_t now)
{
	cleanup_certificate X509 *issuer = pki_certificate_read(ca_certificate);
	cleanup_key EVP_PKEY *issuer_key = pki_key_read(ca_key);

	if (!issuer || !issuer_key || !key)
		return NULL;
	return pki_certificate_make(profile, key, issuer, issuer_key, now);
}

/* A key and a certificate for it, signed by this CA. */
static int server_make(const char *ca_certificate, const char *ca_key,
		       const struct pki_names *names, const struct pki_lives *lives, time_t now,
		       char **ret_certificate, char **ret_key, struct error *error)
{
	cleanup_text struct text joined = TEXT_EMPTY;
	struct pki_profile profile = {
		.constraints = "critical,CA:FALSE",
		.usage = "critical,digitalSignature",
		.extended_usage = "serverAuth",
		.life = lives->certificate,
	};
	cleanup_key EVP_PKEY *key = EVP_EC_gen(CURVE);
	cleanup_certificate X509 *certificate = NULL;
	cleanup_free char *certificate_text = NULL;
	char *key_text;
	int result = names_join(names, &joined, error);

	if (result < 0)
		return result;
	profile.common_name = names->names[0];
	profile.names = joined.data;
	certificate = server_sign(ca_certificate, ca_key, key, &profile, now);
	certificate_text = certificate ? pki_certificate_text(certificate) : NULL;
	key_text = certificate_text ? pki_key_text(key) : NULL;
	if (!key_text)
		return pki_openssl_error(error, "the certificate of the server");
	*ret_certificate = take_pointer(certificate_text);
	*ret_key = key_text;
	return 0;
}

static void replace(char **text, char *by)
{
	secret_free(*text);
	*text = by;
}

static int make(struct pki_bundle *bundle, const struct pki_names *names,
		const struct pki_lives *lives, time_t now, struct error *error)
{
	struct pki_bundle fresh = {0};
	int result = ca_make(lives, now, &fresh.ca_certificate, &fresh.ca_key, error);

	if (result == 0)
		result = server_make(fresh.ca_certificate, fresh.ca_key, names, lives, now,
				     &fresh.certificate, &fresh.key, error);
	if (result < 0) {
		pki_bundle_free(&fresh);
		return result;
	}
	pki_bundle_free(bundle);
	*bundle = fresh;
	return 0;
}

static int renew(struct pki_bundle *bundle, const struct pki_names *names,
		 const struct pki_lives *lives, time_t now, struct error *error)
{
	char *certificate = NULL, *key = NULL;
	int result = server_make(bundle->ca_certificate, bundle->ca_key, names, lives, now,
				 &certificate, &key, error);

	if (result < 0)
		return result;
	replace(&bundle->certificate, certificate);
	replace(&bundle->key, key);
	return 0;
}

static int prepare_ca(struct pki_bundle *bundle, const struct pki_lives *lives, time_t now,
		      struct error *error)
{
	char *certificate = NULL, *key = NULL;
	int result = ca_make(lives, now, &certificate, &key, error);

	if (result < 0)
		return result;
	replace(&bundle->next_ca_certificate, certificate);
	replace(&bundle->next_ca_key, key);
	bundle->next_published = 0;
	return 0;
}

static int promote_ca(struct pki_bundle *bundle, const struct pki_names *names,
		      const struct pki_lives *lives, time_t now, struct error *error)
{
	char *certificate = NULL, *key = NULL;
	int result = server_make(bundle->next_ca_certificate, bundle->next_ca_key, names, lives,
				 now, &certificate, &key, error);

	if (result < 0)
		return result;
	replace(&bundle->old_ca_certificate, take_pointer(bundle->ca_certificate));
	replace(&bundle->ca_certificate, take_pointer(bundle->next_ca_certificate));
	replace(&bundle->ca_key, take_pointer(bundle->next_ca_key));
	replace(&bundle->certificate, certificate);
	replace(&bundle->key, key);
	bundle->next_published = 0;
	return 0;
}

int pki_bundle_step(struct pki_bundle *bundle, enum pki_step step, const struct pki_names *names,
		    const struct pki_lives *lives, time_t now, struct error *error)
{
	switch (step) {
	case PKI_MAKE:
		return make(bundle, names, lives, now, error);
	case PKI_RENEW:
		return renew(bundle, names, lives, now, error);
	case PKI_PREPARE_CA:
		return prepare_ca(bundle, lives, now, error);
	case PKI_PROMOTE_CA:
		return promote_ca(bundle, names, lives, now, error);
	default:
		return 0;
	}
}

int pki_bundle_make(const char *const names[], size_t count, time_t now,
		    struct pki_bundle *ret_bundle, struct error *error)
{
	const struct pki_names all = {names, count};
	struct pki_bundle bundle = {0};
	int result = make(&bundle, &all, &pki_lives, now, error);

	if (result == 0)
		*ret_bundle = bundle;
	return result;
}

void pki_bundle_free(struct pki_bundle *bundle)
{
	free(bundle->ca_certificate);
	secret_free(bundle->ca_key);
	free(bundle->certificate);
	secret_free(bundle->key);
	free(bundle->next_ca_certificate);
	secret_free(bundle->next_ca_key);
	free(bundle->old_ca_certificate);
	*bundle = (struct pki_bundle){0};
}
