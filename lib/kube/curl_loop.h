/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Runs a curl multi handle on a libuv loop (https://curl.se/libcurl/c/libcurl-multi.html). */
#ifndef SKEP_LIB_KUBE_CURL_LOOP_H
#define SKEP_LIB_KUBE_CURL_LOOP_H

#include <curl/curl.h>
#include <uv.h>

#include "lib/base/error.h"

struct curl_loop;

/* Called after curl has worked; only here may handles be added and removed, and data handed on. */
typedef void (*curl_loop_handler)(void *context);

/* Returns 0 with *ret_curl_loop (curl_loop_free()) or a negative errno. */
int curl_loop_new(uv_loop_t *uv, curl_loop_handler worked, void *context,
		  struct curl_loop **ret_curl_loop, struct error *error);

/* The multi handle, which stays the loop's. */
CURLM *curl_loop_multi(const struct curl_loop *curl_loop);

/*
 * Ends all connections; every easy handle must be out of the multi handle. Returns NULL at once;
 * the memory goes as the uv loop closes the handles.
 */
struct curl_loop *curl_loop_free(struct curl_loop *curl_loop);

#endif
