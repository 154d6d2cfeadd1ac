/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The settings of curl for one transfer, by theme. Each function returns 0, or else when curl
 * refused a setting, which it does when memory runs out.
 */
#ifndef SKEP_LIB_KUBE_TRANSFER_OPTIONS_H
#define SKEP_LIB_KUBE_TRANSFER_OPTIONS_H

#include <stdbool.h>

#include <curl/curl.h>

#include "lib/kube/config.h"

/* Fills *headers (curl_slist_free_all(), also on failure); `token` and `content_type` or NULL. */
int transfer_options_headers(struct curl_slist **headers, const char *token,
			     const char *content_type);

/* What is asked; `body` is NULL for none and must outlive the transfer. */
int transfer_options_request(CURL *easy, const char *method, const char *url, const char *body);

/* Whom to trust and who we are; the strings of `config` must outlive the transfer. */
int transfer_options_security(CURL *easy, const struct kube_config *config);

/* How connections are made, shared and found dead. */
int transfer_options_connection(CURL *easy, const char *server);

/* How many seconds it may take in all; 0: for ever, once it is connected. */
int transfer_options_time(CURL *easy, long seconds);

#endif
