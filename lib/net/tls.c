// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/net/tls.h"

#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* Sets the error from the last of OpenSSL's, and clears its queue. */
static int tls_error(struct error *error, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(error, EINVAL, "%s: %s", what, reason ? reason : "not as it should be");
}

/* A password is never asked for on a terminal. */
static int no_password(char *buffer, int size, int for_writing, void *context)
{
	(void)buffer, (void)size, (void)for_writing, (void)context;
	return -1;
}

static void settings_common(SSL_CTX *tls)
{
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(tls, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
}

static int chain_read(SSL_CTX *tls, BIO *pem)
{
	X509 *certificate = PEM_read_bio_X509(pem, NULL, no_password, NULL);
	int good = certificate && SSL_CTX_use_certificate(tls, certificate) == 1;

	X509_free(certificate);
	while (good && (certificate = PEM_read_bio_X509(pem, NULL, no_password, NULL)))
		if (SSL_CTX_add0_chain_cert(tls, certificate) != 1) {
			X509_free(certificate);
			good = 0;
		}
	return good ? 0 : -EINVAL;
}

static int chain_set(SSL_CTX *tls, const char *text, struct error *error)
{
	BIO *pem = BIO_new_mem_buf(text, -1);
	int result = pem ? chain_read(tls, pem) : -ENOMEM;

	BIO_free(pem);
	if (result < 0)
		return tls_error(error, "the server's certificate (PEM)");
	ERR_clear_error(); /* the end of the text is one, to OpenSSL */
	return 0;
}

static int key_set(SSL_CTX *tls, const char *text, struct error *error)
{
	BIO *pem = BIO_new_mem_buf(text, -1);
	EVP_PKEY *key = pem ? PEM_read_bio_PrivateKey(pem, NULL, no_password, NULL) : NULL;
	int good = key && SSL_CTX_use_PrivateKey(tls, key) == 1;

	EVP_PKEY_free(key);
	BIO_free(pem);
	return good ? 0 : tls_error(error, "the server's key (PEM)");
}

int net_tls_server_set(SSL_CTX *tls, const char *certificate_pem, const char *key_pem,
		       struct error *error)
{
	int result;

	settings_common(tls);
	SSL_CTX_set_num_tickets(tls, 0);
	SSL_CTX_clear_chain_certs(tls);
	result = chain_set(tls, certificate_pem, error);
	return result < 0 ? result : key_set(tls, key_pem, error);
}

int net_tls_server_check(const char *certificate_pem, const char *key_pem, struct error *error)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	int result = tls ? net_tls_server_set(tls, certificate_pem, key_pem, error)
			 : tls_error(error, "start TLS");

	SSL_CTX_free(tls);
	return result;
}

/* OpenSSL's own opinion stands. */
static int certificate_opinion(int good, X509_STORE_CTX *store)
{
	(void)store;
	return good;
}

/* As OpenSSL verifies, but nobody else is asked and the verdict is kept for words about it. */
static int certificate_verify(X509_STORE_CTX *store, void *verdict)
{
	int good;

	X509_STORE_CTX_set_verify_cb(store, certificate_opinion);
	good = X509_verify_cert(store);
	*(int *)verdict = X509_STORE_CTX_get_error(store);
	return good;
}

int net_tls_client_new(int *verdict, SSL_CTX **ret_tls, struct error *error)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (!tls)
		return tls_error(error, "start TLS");
	settings_common(tls);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(tls, certificate_verify, verdict);
	*verdict = X509_V_OK;
	*ret_tls = tls;
	return 0;
}

SSL_CTX *net_tls_no_client_new(void)
{
	return SSL_CTX_new(TLS_client_method());
}

int net_tls_client_trust(SSL_CTX *tls, const char *ca_file, struct error *error)
{
	X509_STORE *store = X509_STORE_new();

	if (!store)
		return error_set_errno(error, ENOMEM, "read CA file %s", ca_file);
	errno = 0;
	if (X509_STORE_load_file(store, ca_file) != 1) {
		int number = errno;

		X509_STORE_free(store);
		ERR_clear_error();
		if (number == ENOENT || number == EACCES)
			return error_set_errno(error, number, "read CA file %s", ca_file);
		return error_set(error, EINVAL, "read CA file %s: it holds no certificate in PEM",
				 ca_file);
	}
	SSL_CTX_set_cert_store(tls, store);
	return 0;
}
