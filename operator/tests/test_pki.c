// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "operator/certificates_secret.h"
#include "operator/pki.h"

#define NAME "skep-operator.skep-system.svc"
#define DAY  (24 * 60 * 60)
#define NOW  1795000000 /* in 2026 */

static struct pki_bundle bundle_make(void)
{
	static const char *const names[] = {NAME, "skep-operator.skep-system.svc.cluster.local"};
	struct pki_bundle bundle = {0};
	struct error error = {""};

	assert_int_equal(pki_bundle_make(names, 2, NOW, &bundle, &error), 0);
	return bundle;
}

static X509 *parse(const char *pem)
{
	BIO *memory = BIO_new_mem_buf(pem, -1);
	X509 *certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);

	BIO_free(memory);
	assert_non_null(certificate);
	return certificate;
}

static void test_makes_what_serves(void **state)
{
	struct pki_bundle bundle = bundle_make();

	(void)state;
	assert_true(pki_bundle_is_good(&bundle, NAME, NOW, DAY));
	assert_true(pki_bundle_is_good(&bundle, "skep-operator.skep-system.svc.cluster.local", NOW,
				       DAY));
	assert_false(pki_bundle_is_good(&bundle, "skep-operator", NOW, DAY));
	assert_false(pki_bundle_is_good(&bundle, "x." NAME, NOW, DAY));
	pki_bundle_free(&bundle);
	assert_null(bundle.key);
}

static void test_minds_the_time(void **state)
{
	struct pki_bundle bundle = bundle_make();
	time_t end = NOW + (time_t)PKI_CERTIFICATE_DAYS * DAY;

	(void)state;
	assert_true(pki_bundle_is_good(&bundle, NAME, end - 2 * DAY, DAY));
	assert_false(pki_bundle_is_good(&bundle, NAME, end - 2 * DAY, 3 * DAY));
	assert_false(pki_bundle_is_good(&bundle, NAME, end + 1, 0));
	assert_false(pki_bundle_is_good(&bundle, NAME, NOW - DAY, 0));
	pki_bundle_free(&bundle);
}

static void swap(char **a, char **b)
{
	char *kept = *a;

	*a = *b;
	*b = kept;
}

static void test_minds_what_belongs_together(void **state)
{
	struct pki_bundle one = bundle_make(), other = bundle_make();

	(void)state;
	swap(&one.key, &other.key);
	assert_false(pki_bundle_is_good(&one, NAME, NOW, 0));
	swap(&one.certificate, &other.certificate); /* with its key, but of the other CA */
	assert_false(pki_bundle_is_good(&one, NAME, NOW, 0));
	swap(&one.ca_certificate, &other.ca_certificate);
	assert_false(pki_bundle_is_good(&one, NAME, NOW, 0)); /* the CA's key is still the old */
	swap(&one.ca_key, &other.ca_key);
	assert_true(pki_bundle_is_good(&one, NAME, NOW, 0));
	swap(&one.certificate, &one.ca_certificate);
	assert_false(pki_bundle_is_good(&one, NAME, NOW, 0));
	pki_bundle_free(&one);
	pki_bundle_free(&other);
}

static void test_minds_what_is_no_pem(void **state)
{
	struct pki_bundle bundle = bundle_make();

	(void)state;
	bundle.certificate[strlen(bundle.certificate) / 2] = '!';
	assert_false(pki_bundle_is_good(&bundle, NAME, NOW, 0));
	free(bundle.certificate);
	bundle.certificate = NULL;
	assert_false(pki_bundle_is_good(&bundle, NAME, NOW, 0));
	pki_bundle_free(&bundle);
}

static void test_makes_what_the_rules_ask_for(void **state)
{
	struct pki_bundle bundle = bundle_make(), next = bundle_make();
	X509 *ca = parse(bundle.ca_certificate), *server = parse(bundle.certificate);
	X509 *other = parse(next.certificate);

	(void)state;
	assert_int_equal(X509_check_ca(ca), 1);
	assert_int_equal(X509_get_extension_flags(ca) & EXFLAG_BCONS, EXFLAG_BCONS);
	assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_int_equal(X509_check_ca(server), 0);
	assert_int_equal(X509_get_key_usage(server), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(server), XKU_SSL_SERVER);
	assert_int_equal(X509_get_version(server), X509_VERSION_3);
	assert_int_equal(X509_get_signature_nid(server), NID_ecdsa_with_SHA256);
	assert_int_equal(X509_check_host(server, NAME, 0, 0, NULL), 1);
	assert_int_not_equal(
		ASN1_INTEGER_cmp(X509_get0_serialNumber(server), X509_get0_serialNumber(other)), 0);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(server)), 16);
	assert_true(X509_EXTENSION_get_critical(
		X509_get_ext(ca, X509_get_ext_by_NID(ca, NID_basic_constraints, -1))));
	X509_free(ca);
	X509_free(server);
	X509_free(other);
	pki_bundle_free(&bundle);
	pki_bundle_free(&next);
}

static void test_refuses_what_is_no_name(void **state)
{
	static const char *const bad[] = {"a,DNS:evil.example", "", "a b", "dirName:x"};
	struct pki_bundle bundle = {0};
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pki_bundle_make(&bad[i], 1, NOW, &bundle, &error), -EINVAL);
	assert_int_equal(pki_bundle_make(NULL, 0, NOW, &bundle, &error), -EINVAL);
	assert_null(bundle.key);
}

/* Lives of which many fit into the test's time: ten weeks, a week, a day. */
static const struct pki_lives short_lives = {
	.ca = 70 * DAY, .certificate = 7 * DAY, .publish = DAY};

static const char *const name_list[] = {NAME};
static const struct pki_names names = {name_list, 1};

static enum pki_step step(struct pki_bundle *bundle, time_t now)
{
	enum pki_step due = pki_next_step(bundle, NAME, &short_lives, now);
	struct error error = {""};

	assert_int_equal(pki_bundle_step(bundle, due, &names, &short_lives, now, &error), 0);
	return due;
}

/* Whether who trusts `trusted` would talk to a server that serves with this bundle. */
static bool is_trusted(const char *trusted, const struct pki_bundle *bundle, time_t now)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	BIO *memory = BIO_new_mem_buf(trusted, -1);
	X509 *server = parse(bundle->certificate), *ca;
	bool good;

	while ((ca = PEM_read_bio_X509(memory, NULL, NULL, NULL))) {
		X509_STORE_add_cert(store, ca);
		X509_free(ca);
	}
	X509_STORE_CTX_init(check, store, server, NULL);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(check), now);
	good = X509_verify_cert(check) == 1;
	X509_STORE_CTX_free(check);
	X509_STORE_free(store);
	X509_free(server);
	BIO_free(memory);
	return good;
}

static void test_makes_what_is_missing(void **state)
{
	struct pki_bundle bundle = {0};

	(void)state;
	assert_int_equal(step(&bundle, NOW), PKI_MAKE);
	assert_int_equal(step(&bundle, NOW), PKI_KEEP);
	bundle.ca_key[40] ^= 1;
	assert_int_equal(step(&bundle, NOW), PKI_MAKE);
	pki_bundle_free(&bundle);
}

static void test_renews_after_two_thirds(void **state)
{
	struct pki_bundle bundle = {0};
	char *ca;

	(void)state;
	step(&bundle, NOW);
	ca = strdup(bundle.ca_certificate);
	assert_in_range(pki_bundle_worn_at(&bundle), NOW + 7 * DAY / 3 * 2 - 600,
			NOW + 7 * DAY / 3 * 2 + 600);
	assert_int_equal(step(&bundle, NOW + 7 * DAY / 3 * 2 - 600), PKI_KEEP);
	assert_int_equal(step(&bundle, NOW + 7 * DAY / 3 * 2 + 600), PKI_RENEW);
	assert_int_equal(step(&bundle, NOW + 7 * DAY / 3 * 2 + 600), PKI_KEEP);
	assert_string_equal(bundle.ca_certificate, ca);
	/* One that has run out, or is for another name, is renewed as well. */
	assert_int_equal(step(&bundle, NOW + 30 * DAY), PKI_RENEW);
	assert_int_equal(pki_next_step(&bundle, "other", &short_lives, NOW + 30 * DAY), PKI_RENEW);
	free(ca);
	pki_bundle_free(&bundle);
}

static void test_does_not_outlive_its_ca(void **state)
{
	struct pki_bundle bundle = {0};
	X509 *ca, *server;

	(void)state;
	step(&bundle, NOW);
	assert_int_equal(
		pki_bundle_step(&bundle, PKI_RENEW, &names, &short_lives, NOW + 68 * DAY, NULL), 0);
	ca = parse(bundle.ca_certificate);
	server = parse(bundle.certificate);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(ca), X509_get0_notAfter(server)), 0);
	X509_free(ca);
	X509_free(server);
	pki_bundle_free(&bundle);
}

static void test_waits_until_the_next_ca_is_known(void **state)
{
	struct pki_bundle bundle = {0};
	time_t worn = NOW + 50 * DAY;
	char *trusted;

	(void)state;
	step(&bundle, NOW);
	assert_int_equal(step(&bundle, worn), PKI_PREPARE_CA);
	assert_int_equal(step(&bundle, worn), PKI_RENEW);
	assert_int_equal(step(&bundle, worn + 2 * DAY), PKI_KEEP); /* nobody has published it */
	bundle.next_published = worn + 2 * DAY;
	assert_int_equal(step(&bundle, worn + 3 * DAY - 1), PKI_KEEP);
	assert_int_equal(step(&bundle, worn + 3 * DAY), PKI_PROMOTE_CA);
	assert_null(bundle.next_ca_certificate);
	assert_int_equal(bundle.next_published, 0);
	trusted = pki_bundle_trusted(&bundle, worn + 3 * DAY);
	assert_non_null(strstr(trusted, bundle.old_ca_certificate));
	free(trusted);
	trusted = pki_bundle_trusted(&bundle, NOW + 71 * DAY); /* it has run out */
	assert_null(strstr(trusted, bundle.old_ca_certificate));
	free(trusted);
	pki_bundle_free(&bundle);
}

/* A year, looked at every six hours: who last read the CAs up to a day ago always trusts. */
static void test_is_always_trusted(void **state)
{
	enum { LOOKS = 365 * 4, BEHIND = 4, LOOK_SECONDS = DAY / 4 };
	struct pki_bundle bundle = {0};
	char *read_before[BEHIND] = {NULL};
	unsigned int promoted = 0;

	(void)state;
	for (int i = 0; i < LOOKS; i++) {
		time_t now = NOW + (time_t)i * LOOK_SECONDS;
		enum pki_step due = step(&bundle, now);

		promoted += due == PKI_PROMOTE_CA;
		for (int behind = 0; behind < BEHIND && i >= BEHIND; behind++)
			assert_true(is_trusted(read_before[behind], &bundle, now));
		if (bundle.next_ca_certificate && !bundle.next_published)
			bundle.next_published = now;
		free(read_before[i % BEHIND]);
		read_before[i % BEHIND] = pki_bundle_trusted(&bundle, now);
	}
	assert_in_range(promoted, 6, 8); /* one in 46 days */
	for (int i = 0; i < BEHIND; i++)
		free(read_before[i]);
	pki_bundle_free(&bundle);
}

static void test_is_kept_as_a_secret(void **state)
{
	struct pki_bundle bundle = {0}, again;
	cJSON *secret, *member, *text;

	(void)state;
	step(&bundle, NOW);
	secret = certificates_secret_encode(&bundle, "");
	assert_string_equal(json_text(secret, "type"), "kubernetes.io/tls");
	assert_null(json_find(secret, "metadata", "resourceVersion"));
	cJSON_Delete(secret);
	step(&bundle, NOW + 50 * DAY);
	bundle.next_published = NOW + 50 * DAY;
	secret = certificates_secret_encode(&bundle, "77");
	assert_string_equal(json_text(secret, "metadata", "resourceVersion"), "77");
	/* As the API server does: what came as text is kept in base64. */
	member = cJSON_AddObjectToObject(secret, "data");
	cJSON_ArrayForEach(text, cJSON_GetObjectItem(secret, "stringData")) {
		char encoded[4096] = "";

		EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text->valuestring,
				(int)strlen(text->valuestring));
		cJSON_AddStringToObject(member, text->string, encoded);
	}
	assert_int_equal(certificates_secret_decode(secret, &again), 0);
	assert_string_equal(again.ca_key, bundle.ca_key);
	assert_string_equal(again.next_ca_certificate, bundle.next_ca_certificate);
	assert_int_equal(again.next_published, bundle.next_published);
	assert_null(again.old_ca_certificate);
	assert_int_equal(pki_next_step(&again, NAME, &short_lives, NOW + 51 * DAY), PKI_PROMOTE_CA);
	cJSON_Delete(secret);
	pki_bundle_free(&bundle);
	pki_bundle_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_makes_what_serves),
		cmocka_unit_test(test_minds_the_time),
		cmocka_unit_test(test_minds_what_belongs_together),
		cmocka_unit_test(test_minds_what_is_no_pem),
		cmocka_unit_test(test_makes_what_the_rules_ask_for),
		cmocka_unit_test(test_refuses_what_is_no_name),
		cmocka_unit_test(test_makes_what_is_missing),
		cmocka_unit_test(test_renews_after_two_thirds),
		cmocka_unit_test(test_does_not_outlive_its_ca),
		cmocka_unit_test(test_waits_until_the_next_ca_is_known),
		cmocka_unit_test(test_is_always_trusted),
		cmocka_unit_test(test_is_kept_as_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
