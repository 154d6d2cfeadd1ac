// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes the reader of request targets: the input is how a line is cut, and two targets, with a
 * line feed between. However a line is cut, its route is the same; two paths have one text where,
 * and only where, they are one route.
 *
 * clang -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE \
 *	node-agent/probes/fuzz/fuzz_http_route.c node-agent/probes/http_path.c -o
 *build/fuzz_http_route build/fuzz_http_route build/corpus node-agent/probes/fuzz/corpus_http_route
 */

#include "node-agent/probes/http_path.h"
#include "node-agent/probes/tests/http_route_reader.h"

#define TARGET_LIMIT 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What becomes of one target. */
struct outcome {
	struct http_route route;
	char text[HTTP_PATH_SIZE];
};

static struct http_route read_line(const char *line, size_t size, size_t piece)
{
	struct http_route_reading reading = http_route_reading_begin(NULL);

	for (size_t at = 0; at < size; at += piece)
		http_route_read(&reading, line + at, piece < size - at ? piece : size - at);
	return reading.route;
}

static void check_text(const struct outcome *outcome, size_t length)
{
	if (length != strlen(outcome->text) || length >= HTTP_PATH_SIZE)
		abort();
	for (size_t i = 0; i < length; i++)
		if (outcome->text[i] <= ' ' || outcome->text[i] > '~')
			abort();
	if ((outcome->route.phase == HTTP_ROUTE_END) != (length > 0))
		abort();
}

static struct outcome try_target(const char *target, size_t size, size_t piece)
{
	struct outcome outcome;
	struct http_route cut;
	char line[TARGET_LIMIT + 16] = "GET ";

	memcpy(line + 4, target, size);
	memcpy(line + 4 + size, " HTTP/1.1\r\n", 11);
	outcome.route = read_line(line, size + 15, size + 15);
	cut = read_line(line, size + 15, piece);
	if (memcmp(&cut, &outcome.route, sizeof(cut)) != 0)
		abort();
	(void)http_path_normalize(target, size, true, outcome.text);
	check_text(&outcome, http_path_normalize(target, size, false, outcome.text));
	return outcome;
}

/* A target goes up to a space or the end of a line. */
static size_t target_size(const uint8_t *data, size_t size)
{
	size_t length = 0;

	while (length < size && length < TARGET_LIMIT && !strchr(" \r\n", data[length]))
		length++;
	return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome first, second;
	size_t length, rest;

	if (size < 1)
		return 0;
	length = target_size(data + 1, size - 1);
	rest = size - 1 - length;
	if (length == 0 || rest < 2)
		return 0;
	first = try_target((const char *)data + 1, length, 1 + data[0] % 32);
	length = target_size(data + size - rest + 1, rest - 1);
	if (length == 0)
		return 0;
	second = try_target((const char *)data + size - rest + 1, length, 1 + data[0] % 32);
	if (first.route.phase == HTTP_ROUTE_END && second.route.phase == HTTP_ROUTE_END &&
	    (strcmp(first.text, second.text) == 0) != (first.route.path == second.route.path))
		abort();
	return 0;
}
