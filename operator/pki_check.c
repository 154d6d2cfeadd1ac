// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What a bundle is good for, and what is due. */
#include "operator/pki.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "operator/pki_x509.h"

/* What the texts say; members are NULL where they say nothing. */
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

static bool bundle_read(const struct pki_bundle *bundle, struct material *material)
{
	if (!bundle->ca_certificate || !bundle->ca_key || !bundle->certificate || !bundle->key)
		return false;
	material->ca_certificate = pki_certificate_read(bundle->ca_certificate);
	material->ca_key = pki_key_read(bundle->ca_key);
	material->certificate = pki_certificate_read(bundle->certificate);
	material->key = pki_key_read(bundle->key);
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

/* When two thirds of its life are over; 0 where it is not to be read. */
static time_t worn_at(const char *text)
{
	cleanup_certificate X509 *certificate = text ? pki_certificate_read(text) : NULL;
	time_t begin, end;

	if (!certificate)
		return 0;
	begin = pki_certificate_begin(certificate) + PKI_BACKDATE_SECONDS;
	end = pki_certificate_end(certificate);
	return begin + (end - begin) / 3 * 2;
}

static bool text_is_worn(const char *text, time_t now)
{
	return now >= worn_at(text);
}

time_t pki_bundle_worn_at(const struct pki_bundle *bundle)
{
	time_t moment = worn_at(bundle->certificate);

	ERR_clear_error();
	return moment;
}

/* A CA that can sign: with its key, and not past its end. */
static bool ca_is_good(const char *certificate_text, const char *key_text, time_t now)
{
	cleanup_certificate X509 *certificate =
		certificate_text ? pki_certificate_read(certificate_text) : NULL;
	cleanup_key EVP_PKEY *key = key_text ? pki_key_read(key_text) : NULL;

	return certificate && key && X509_check_private_key(certificate, key) == 1 &&
	       holds_from_to(certificate, now, now);
}

static enum pki_step next_step(const struct pki_bundle *bundle, const char *name,
			       const struct pki_lives *lives, time_t now)
{
	bool has_next = ca_is_good(bundle->next_ca_certificate, bundle->next_ca_key, now);

	if (has_next && bundle->next_published && now >= bundle->next_published + lives->publish)
		return PKI_PROMOTE_CA;
	if (!ca_is_good(bundle->ca_certificate, bundle->ca_key, now))
		return PKI_MAKE;
	if (!has_next && text_is_worn(bundle->ca_certificate, now))
		return PKI_PREPARE_CA;
	if (!pki_bundle_is_good(bundle, name, now, 0) || text_is_worn(bundle->certificate, now))
		return PKI_RENEW;
	return PKI_KEEP;
}

enum pki_step pki_next_step(const struct pki_bundle *bundle, const char *name,
			    const struct pki_lives *lives, time_t now)
{
	enum pki_step step = next_step(bundle, name, lives, now);

	ERR_clear_error();
	return step;
}

static void append_ca(struct text *trusted, const char *text, time_t now)
{
	cleanup_certificate X509 *certificate = text ? pki_certificate_read(text) : NULL;

	if (certificate && pki_certificate_end(certificate) > now)
		text_append_format(trusted, "%s%s", trusted->length ? "\n" : "", text);
}

char *pki_bundle_trusted(const struct pki_bundle *bundle, time_t now)
{
	struct text trusted = TEXT_EMPTY;

	append_ca(&trusted, bundle->ca_certificate, now);
	append_ca(&trusted, bundle->next_ca_certificate, now);
	append_ca(&trusted, bundle->old_ca_certificate, now);
	ERR_clear_error();
	if (trusted.failed)
		text_free(&trusted);
	return trusted.data;
}
