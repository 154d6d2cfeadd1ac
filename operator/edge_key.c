// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/edge_key.h"

#include <string.h>

static void append(struct edge_key *key, const char *string)
{
	size_t size = strlen(string) + 1;

	memcpy(key->bytes + key->length, string, size);
	key->length += size;
}

static void append_party(struct edge_key *key, const struct edge_party *party)
{
	append(key, party->namespace);
	append(key, party->kind);
	append(key, party->name);
}

void edge_key_make(struct edge_key *key, const struct edge_party *first,
		   const struct edge_party *second, uint16_t port, const char *protocol)
{
	memcpy(key->bytes, &port, sizeof(port));
	key->length = sizeof(port);
	append(key, protocol);
	append_party(key, first);
	append_party(key, second);
}

static const char *read_string(const char **at)
{
	const char *string = *at;

	*at += strlen(string) + 1;
	return string;
}

static void read_party(const char **at, struct edge_party *ret_party)
{
	ret_party->namespace = read_string(at);
	ret_party->kind = read_string(at);
	ret_party->name = read_string(at);
}

void edge_key_read(const char *bytes, struct edge_party *ret_first, struct edge_party *ret_second,
		   const char **ret_protocol)
{
	const char *at = bytes + sizeof(uint16_t);

	*ret_protocol = read_string(&at);
	read_party(&at, ret_first);
	read_party(&at, ret_second);
}
