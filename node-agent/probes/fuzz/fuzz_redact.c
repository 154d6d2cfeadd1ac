// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes redact_arguments(): the input is a command line as the kernel gives it, arguments with
 *NULs between. No argument may grow, and nothing may be written beyond one.
 *
 * clang -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE node-agent/probes/fuzz/fuzz_redact.c
 *\ node-agent/probes/redact*.c -o build/fuzz_redact
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/probes/redact.h"

#define ARGUMENTS_LIMIT 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each argument in memory of its own, so that the sanitizer sees its end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *arguments[ARGUMENTS_LIMIT];
	size_t lengths[ARGUMENTS_LIMIT], count = 0;

	for (size_t at = 0; at < size && count < ARGUMENTS_LIMIT; at += lengths[count++] + 1) {
		lengths[count] = strnlen((const char *)data + at, size - at);
		arguments[count] = strndup((const char *)data + at, lengths[count]);
	}
	redact_arguments(arguments, count);
	for (size_t i = 0; i < count; i++) {
		if (strlen(arguments[i]) > lengths[i])
			abort();
		free(arguments[i]);
	}
	return 0;
}
