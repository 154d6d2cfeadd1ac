/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Hash maps of the kernel, as probes that count in them read them. */
#ifndef SKEP_NODE_AGENT_PROBES_KERNEL_MAP_H
#define SKEP_NODE_AGENT_PROBES_KERNEL_MAP_H

#include <stddef.h>

struct kernel_map {
	int descriptor;
	size_t key_size;
	size_t value_size;
	const char *probe; /* whose counters they are, for the log */
};

/* Tells every entry; the entry that is told may be taken meanwhile. */
void kernel_map_read(const struct kernel_map *map,
		     void (*entry)(void *context, const void *key, const void *value),
		     void *context);

/*
 * Takes an entry out of the map; its value as it was last goes to `ret_value`. Returns 0, -ENOENT
 * where there is none, or another negative errno.
 */
int kernel_map_take(const struct kernel_map *map, const void *key, void *ret_value);

#endif
