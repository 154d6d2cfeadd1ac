/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What makes two edges the same, as bytes for a hash table. */
#ifndef SKEP_OPERATOR_EDGE_KEY_H
#define SKEP_OPERATOR_EDGE_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/link/edges.h"

/* Seven strings with their NULs, two of them short, and the port. */
#define EDGE_KEY_SIZE (6 * (EDGES_STRING_LIMIT + 1) + EDGES_PROTOCOL_LIMIT + 1 + sizeof(uint16_t))

struct edge_key {
	char bytes[EDGE_KEY_SIZE];
	size_t length;
};

/* Fills the key of an edge between two ends, in this order. Strings must keep to their bounds. */
void edge_key_make(struct edge_key *key, const struct edge_party *first,
		   const struct edge_party *second, uint16_t port, const char *protocol);

/* Lets the strings of both ends and the protocol point into the bytes of a key (or a copy). */
void edge_key_read(const char *bytes, struct edge_party *ret_first, struct edge_party *ret_second,
		   const char **ret_protocol);

#endif
