// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/kernel_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"

#define READ_BATCH 256 /* entries read by one call */

/* One call after the other until the map ends. */
static void read_batches(const struct kernel_map *map, char *keys, char *values,
			 void (*entry)(void *context, const void *key, const void *value),
			 void *context)
{
	__u32 position, *from = NULL, count;
	int result;

	do {
		count = READ_BATCH;
		result = bpf_map_lookup_batch(map->descriptor, from, &position, keys, values,
					      &count, NULL);
		if (result < 0 && errno != ENOENT) {
			log_warn("%s: the counters cannot be read: %s", map->probe,
				 strerror(errno));
			return;
		}
		for (__u32 i = 0; i < count; i++)
			entry(context, keys + i * map->key_size, values + i * map->value_size);
		from = &position;
	} while (result == 0);
}

void kernel_map_read(const struct kernel_map *map,
		     void (*entry)(void *context, const void *key, const void *value),
		     void *context)
{
	cleanup_free char *keys = calloc(READ_BATCH, map->key_size);
	cleanup_free char *values = calloc(READ_BATCH, map->value_size);

	if (keys && values)
		read_batches(map, keys, values, entry, context);
	else
		log_warn("%s: the counters cannot be read: out of memory", map->probe);
}

int kernel_map_take(const struct kernel_map *map, const void *key, void *ret_value)
{
	if (bpf_map_lookup_and_delete_elem(map->descriptor, key, ret_value) == 0)
		return 0;
	if (errno == ENOENT)
		return -ENOENT;
	/* Before kernel 5.14, in two steps. */
	if (bpf_map_lookup_elem(map->descriptor, key, ret_value) ||
	    bpf_map_delete_elem(map->descriptor, key))
		return -errno;
	return 0;
}
