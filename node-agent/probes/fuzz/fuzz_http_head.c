// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes http_look(): the input is a stream behind two bytes, which say in what state it is and how
 * it is cut. However it is cut, and whatever lies behind a piece in memory, the same must come out,
 * as long as no line is longer than what is kept of one.
 *
 * clang -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE \
 *	node-agent/probes/fuzz/fuzz_http_head.c -o build/fuzz_http_head
 * build/fuzz_http_head build/corpus node-agent/probes/fuzz/corpus_http_head
 */

#include "node-agent/probes/tests/http_reader.h"

#define PIECE_LIMIT 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lines_are_short(const uint8_t *data, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; i < size; i++) {
		length = data[i] == '\n' ? 0 : length + 1;
		if (length >= HTTP_LINE_KEPT)
			return false;
	}
	return true;
}

static void check_state(const struct http_head *head)
{
	if (head->state > HTTP_OPAQUE || head->kept >= HTTP_LINE_KEPT ||
	    head->method >= HTTP_METHODS || head->status > 999)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_head starts[] = {
		{.flags = HTTP_HEAD_REQUEST},
		{.flags = 0},
		{.state = HTTP_CHUNK_SIZE},
		{.state = HTTP_TRAILERS},
	};
	struct http_reading whole, cut;

	if (size < 2)
		return 0;
	whole = http_read_from(starts[data[0] % 4], data + 2, size - 2, PIECE_LIMIT, '\n');
	cut = http_read_from(starts[data[0] % 4], data + 2, size - 2, 1 + data[1] % 64, 'x');
	check_state(&whole.head);
	check_state(&cut.head);
	if (lines_are_short(data + 2, size - 2) && !http_reading_equal(&whole, &cut))
		abort();
	return 0;
}
