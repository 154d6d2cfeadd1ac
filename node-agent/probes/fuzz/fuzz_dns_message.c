// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes dns_message_parse(): the input is a message behind one byte, which says how much of it was
 * captured. What comes out must be text that fits, and no more addresses than there is room for.
 *
 * clang -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE \
 *	node-agent/probes/fuzz/fuzz_dns_message.c node-agent/probes/dns_message.c \
 *	-o build/fuzz_dns_message
 * build/fuzz_dns_message build/corpus node-agent/probes/fuzz/corpus_dns_message
 */

#include <stdlib.h>
#include <string.h>

#include "node-agent/probes/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
	size_t length = strnlen(name, DNS_NAME_SIZE);

	if (length == 0 || length == DNS_NAME_SIZE)
		abort();
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || (name[i] >= 'A' && name[i] <= 'Z'))
			abort();
}

/* In memory of its own, so that the sanitizer sees its end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_message message;
	size_t captured;
	uint8_t *copy;

	if (size < 1)
		return 0;
	captured = data[0] == 0 || data[0] > size - 1 ? size - 1 : data[0];
	copy = malloc(captured ? captured : 1);
	memcpy(copy, data + 1, captured);
	if (dns_message_parse(copy, captured, size - 1, &message) == 0) {
		check_name(message.name);
		if (message.address_count > DNS_ADDRESSES_LIMIT)
			abort();
		if (message.damaged && captured < size - 1)
			abort();
	}
	free(copy);
	return 0;
}
