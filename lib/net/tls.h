/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* TLS settings of servers and clients in OpenSSL's terms. TLS 1.2 and later; small memory, no
 * sessions kept. */
#ifndef SKEP_LIB_NET_TLS_H
#define SKEP_LIB_NET_TLS_H

#include <openssl/ssl.h>

#include "lib/base/error.h"

/*
 * Reads a server's certificate chain (leaf first) and its key from PEM texts into `tls`. In place
 * of others, they serve the connections that come from now on; those that are there go on.
 */
int net_tls_server_set(SSL_CTX *tls, const char *certificate_pem, const char *key_pem,
		       struct error *error);

/* Whether the texts would serve; for an error in words before anything is built on them. */
int net_tls_server_check(const char *certificate_pem, const char *key_pem, struct error *error);

/*
 * A client's settings. They keep the verdict on the last server's certificate: `*verdict` is set
 * to an X509_V_… number in each handshake (X509_V_OK until then) and must live as long as they do.
 */
int net_tls_client_new(int *verdict, SSL_CTX **ret_tls, struct error *error);

/*
 * Settings for a server's virtual host, which dials nobody: libwebsockets gives each one a client's
 * side, with all the CAs that the system trusts, and does not free it in every order of ends. NULL
 * when memory ran out; SSL_CTX_free() when the host has gone.
 */
SSL_CTX *net_tls_no_client_new(void);

/* From now on trusts the certificates in `ca_file` (PEM) and no others. */
int net_tls_client_trust(SSL_CTX *tls, const char *ca_file, struct error *error);

#endif
