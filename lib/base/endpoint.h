/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* "ADDRESS:PORT", as options give it. */
#ifndef SKEP_LIB_BASE_ENDPOINT_H
#define SKEP_LIB_BASE_ENDPOINT_H

#include "lib/base/error.h"

#define ENDPOINT_HOST_SIZE 256

struct endpoint {
	char host[ENDPOINT_HOST_SIZE]; /* "" where none is given; IPv6 without its brackets */
	int port;
};

/* Reads "host:port", ":port", "1.2.3.4:port" or "[::1]:port". Returns 0 or -EINVAL. */
int endpoint_parse(const char *text, struct endpoint *ret_endpoint, struct error *error);

#endif
