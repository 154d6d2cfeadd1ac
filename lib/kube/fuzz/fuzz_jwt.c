// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Fuzzes what a token says of its end: whatever the bytes, it is a moment or none. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kube/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *token = strndup((const char *)data, size);

	if (jwt_expiry(token) < 0)
		abort();
	free(token);
	return 0;
}
