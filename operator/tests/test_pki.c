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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_makes_what_serves),
		cmocka_unit_test(test_minds_the_time),
		cmocka_unit_test(test_minds_what_belongs_together),
		cmocka_unit_test(test_minds_what_is_no_pem),
		cmocka_unit_test(test_makes_what_the_rules_ask_for),
		cmocka_unit_test(test_refuses_what_is_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
