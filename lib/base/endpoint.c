// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/endpoint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PORT_LIMIT 65535

/* The port, or -1 where `text` is none. */
static int parse_port(const char *text)
{
	bool digits = *text && strspn(text, "0123456789") == strlen(text);
	long port = digits ? strtol(text, NULL, 10) : 0;

	return port > 0 && port <= PORT_LIMIT ? (int)port : -1;
}

int endpoint_parse(const char *text, struct endpoint *ret_endpoint, struct error *error)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	struct endpoint endpoint = {.port = colon ? parse_port(colon + 1) : -1};

	if (endpoint.port < 0)
		return error_set(error, EINVAL, "\"%s\" has no port; use [ADDRESS]:PORT", text);
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	} else if (memchr(text, ':', length)) {
		return error_set(error, EINVAL, "\"%s\": put an IPv6 address in brackets", text);
	}
	if (length >= sizeof(endpoint.host))
		return error_set(error, EINVAL, "the address of \"%.40s...\" is too long", text);
	memcpy(endpoint.host, text, length);
	*ret_endpoint = endpoint;
	return 0;
}
