// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What namespaces hold of what they share in the kernel (bpf/lib/share.h), and as though they held
 * more. Included by the test.
 */

#include "bpf/lib/share.h"

static uint64_t share_side_of(int shares, uint32_t namespace, enum share_side side, uint32_t table)
{
	const struct share_key key = {.namespace = namespace, .side = side};
	struct share_row row;

	assert_return_code(bpf_map_lookup_elem(shares, &key, &row), errno);
	return row.places[table];
}

static uint64_t share_held_now(int shares, uint32_t namespace, uint32_t table)
{
	return share_side_of(shares, namespace, SHARE_TAKEN, table) -
	       share_side_of(shares, namespace, SHARE_RETURNED, table);
}

/* As though so many more had been taken. */
static __attribute__((unused)) void share_add(int shares, uint32_t namespace, uint32_t table,
					      int more)
{
	const struct share_key key = {.namespace = namespace, .side = SHARE_TAKEN};
	struct share_row row;

	assert_return_code(bpf_map_lookup_elem(shares, &key, &row), errno);
	row.places[table] += (uint64_t)(int64_t)more;
	assert_return_code(bpf_map_update_elem(shares, &key, &row, BPF_EXIST), errno);
}

/* The namespace that came last. */
static __attribute__((unused)) uint32_t share_newest(int shares)
{
	struct share_key key, *before = NULL;
	uint32_t newest = SHARE_NODE;

	while (bpf_map_get_next_key(shares, before, &key) == 0) {
		newest = key.namespace > newest ? key.namespace : newest;
		before = &key;
	}
	return newest;
}
