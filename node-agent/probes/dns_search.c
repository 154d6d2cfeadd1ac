// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_search.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PIECE_SIZE 80 /* a namespace has 63 characters at most */

/* `longer` is `name` with labels behind it. */
static bool extends(const char *longer, const char *name)
{
	size_t length = strlen(name);

	return length > 0 && strncmp(longer, name, length) == 0 && longer[length] == '.';
}

/*
 * The length of what `first` and `second` begin with, where `first` is `second` with `piece` put in
 * between, and `behind` follows; 0 where it is not.
 */
static size_t length_before(const char *first, const char *second, const char *piece,
			    const char *behind)
{
	size_t inserted = strlen(piece), size = strlen(first);

	if (size != strlen(second) + inserted)
		return 0;
	for (size_t at = 1; at + inserted < size && strncmp(first, second, at) == 0; at++)
		if (strncmp(first + at, piece, inserted) == 0 &&
		    strcmp(first + at + inserted, second + at) == 0 &&
		    strncmp(second + at, behind, strlen(behind)) == 0)
			return at;
	return 0;
}

enum dns_search_step dns_search_step(const char *first, const char *second, const char *namespace,
				     size_t *ret_length)
{
	char own[PIECE_SIZE], whole[PIECE_SIZE + 4];
	size_t length;

	if (extends(first, second)) {
		*ret_length = strlen(second);
		return DNS_SEARCH_ENDED;
	}
	if (extends(second, first)) {
		*ret_length = strlen(first);
		return DNS_SEARCH_BEGUN;
	}
	/* the three suffixes differ in what stands before the domain, whatever that is called */
	snprintf(own, sizeof(own), ".%.64s", namespace);
	snprintf(whole, sizeof(whole), "%s.svc", own);
	length = length_before(first, second, own, ".svc.");
	if (!length)
		length = length_before(first, second, whole, ".");
	if (!length)
		length = length_before(first, second, ".svc", ".");
	if (!length)
		return DNS_SEARCH_NONE;
	*ret_length = length;
	return DNS_SEARCH_NEXT;
}
