// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What anybody may send as Accept-Encoding: gzip is taken only where it, or "*", is there. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *header = malloc(size + 1);

	if (!header)
		return 0;
	if (size)
		memcpy(header, data, size);
	header[size] = '\0';
	if (http_accepts_packed(header) && !strcasestr(header, "gzip") && !strchr(header, '*'))
		abort();
	free(header);
	return 0;
}
