// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/tests/certificate.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define VALID_SECONDS (24L * 60 * 60)

static void add_extension(X509 *certificate, int kind, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

	if (!extension || X509_add_ext(certificate, extension, -1) != 1)
		abort();
	X509_EXTENSION_free(extension);
}

static X509 *sign(EVP_PKEY *key, int serial)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	char common_name[32];

	snprintf(common_name, sizeof(common_name), "test %d", serial);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_SECONDS);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (unsigned char *)common_name, -1, -1,
				   0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1");
	add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (X509_sign(certificate, key, EVP_sha256()) == 0)
		abort();
	return certificate;
}

void write_certificate(const char *path, int serial)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = sign(key, serial);
	FILE *file = fopen(path, "w");

	if (!file || PEM_write_X509(file, certificate) != 1 ||
	    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1)
		abort();
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}
