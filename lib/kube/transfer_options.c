// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/transfer_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/client.h"

#define CONNECT_TIMEOUT_SECONDS	    10L
#define KEEPALIVE_IDLE_SECONDS	    15L
#define KEEPALIVE_INTERVAL_SECONDS  5L
#define UNACKNOWLEDGED_MILLISECONDS 20000U /* TCP_USER_TIMEOUT, tcp(7) */

static int add_header(struct curl_slist **headers, const char *name, const char *value)
{
	cleanup_free char *line = NULL;
	struct curl_slist *longer;

	if (asprintf(&line, "%s: %s", name, value) < 0) {
		line = NULL;
		return -1;
	}
	longer = curl_slist_append(*headers, line);
	if (!longer)
		return -1;
	*headers = longer;
	return 0;
}

int transfer_options_headers(struct curl_slist **headers, const char *token,
			     const char *content_type)
{
	cleanup_free char *bearer = NULL;
	int failed = add_header(headers, "Accept", KUBE_JSON);

	if (content_type)
		failed |= add_header(headers, "Content-Type", content_type);
	if (!token)
		return failed;
	if (asprintf(&bearer, "Bearer %s", token) < 0) {
		bearer = NULL;
		return -1;
	}
	return failed | add_header(headers, "Authorization", bearer);
}

int transfer_options_request(CURL *easy, const char *method, const char *url, const char *body)
{
	int failed = 0;

	failed |= curl_easy_setopt(easy, CURLOPT_URL, url);
	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "skep");
	if (body) {
		failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
		failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
					   (curl_off_t)strlen(body));
	}
	failed |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	return failed;
}

/* Sets an option to PEM text that stays the caller's. */
static int set_blob(CURL *easy, CURLoption option, char *pem)
{
	struct curl_blob blob = {.data = pem, .len = strlen(pem), .flags = CURL_BLOB_NOCOPY};

	return (int)curl_easy_setopt(easy, option, &blob);
}

/* Sets whichever of the two is given; the text goes before the file, as in kubectl. */
static int set_pem(CURL *easy, CURLoption text_option, char *text, CURLoption file_option,
		   const char *file)
{
	if (text)
		return set_blob(easy, text_option, text);
	return file ? (int)curl_easy_setopt(easy, file_option, file) : 0;
}

int transfer_options_security(CURL *easy, const struct kube_config *config)
{
	int failed = 0;

	failed |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	/* The CA file is read anew for each connection, so that a rotated one is seen. */
	failed |= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	failed |= set_pem(easy, CURLOPT_CAINFO_BLOB, config->ca_data, CURLOPT_CAINFO,
			  config->ca_file);
	failed |= set_pem(easy, CURLOPT_SSLCERT_BLOB, config->certificate_data, CURLOPT_SSLCERT,
			  config->certificate_file);
	failed |= set_pem(easy, CURLOPT_SSLKEY_BLOB, config->key_data, CURLOPT_SSLKEY,
			  config->key_file);
	return failed;
}

/*
 * CURLOPT_SOCKOPTFUNCTION. A connection whose peer acknowledges nothing is dead: without this
 * limit the kernel would go on for a quarter of an hour (tcp_retries2) with every stream on it.
 */
static int limit_unacknowledged(void *context, curl_socket_t socket, curlsocktype purpose)
{
	unsigned int limit = UNACKNOWLEDGED_MILLISECONDS;

	(void)context, (void)purpose; /* the same for all */
	/* A kernel that refuses costs time to notice, not more. */
	(void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
	return CURL_SOCKOPT_OK;
}

/* HTTP/2 comes with TLS; without, waiting for a shared connection would only cost time. */
static int set_sharing(CURL *easy, const char *server)
{
	bool is_encrypted = strncmp(server, "https:", 6) == 0;
	long version = is_encrypted ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
	int failed = (int)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);

	return failed | (int)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, is_encrypted ? 1L : 0L);
}

int transfer_options_connection(CURL *easy, const char *server)
{
	int failed = set_sharing(easy, server);

	failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	failed |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	failed |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
	failed |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
	failed |= curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, limit_unacknowledged);
	return failed;
}

int transfer_options_time(CURL *easy, long seconds)
{
	int failed = (int)curl_easy_setopt(easy, CURLOPT_TIMEOUT, seconds);

	return failed |
	       (int)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_SECONDS);
}
