// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The shapes of heads that the programs on a cgroup remember (bpf/lib/http_shape.h), changed by
 * hand. Included by the test, after kernel_fixture.h and program_maps.c.
 */

#include "bpf/lib/http_shape.h"

/* What a CPU remembers (bpf/http/learning.h) is shapes, and before them, this. */
#define BEFORE_SHAPES (sizeof(__u64) + sizeof(struct http_sight))

/* The shapes of all CPUs. */
struct shapes {
	int map;
	unsigned int cpus;
	size_t size; /* of a CPU's, with what is before them */
	uint8_t *data;
};

static struct shapes shapes_read(const char *cgroup)
{
	const int program = program_at(cgroup);
	struct bpf_map_info info;
	struct shapes shapes = {.map = map_of(program, "http_glances", &info),
				.cpus = (unsigned int)libbpf_num_possible_cpus(),
				.size = info.value_size};
	__u32 key = 0;

	close(program);
	assert_int_equal((shapes.size - BEFORE_SHAPES) % sizeof(struct http_shape), 0);
	shapes.data = calloc(shapes.cpus, shapes.size);
	assert_non_null(shapes.data);
	assert_return_code(bpf_map_lookup_elem(shapes.map, &key, shapes.data), errno);
	return shapes;
}

/* The next shape, in any order; the first one after NULL, and NULL after the last one. */
static struct http_shape *shapes_next(const struct shapes *shapes, const struct http_shape *shape)
{
	size_t at = shape ? (size_t)((const uint8_t *)(shape + 1) - shapes->data) : 0;

	if (at == shapes->cpus * shapes->size)
		return NULL;
	if (at % shapes->size == 0)
		at += BEFORE_SHAPES;
	return (struct http_shape *)(shapes->data + at);
}

static struct http_shape *shapes_find(const struct shapes *shapes, const char *start)
{
	struct http_shape *shape = NULL;

	while ((shape = shapes_next(shapes, shape)))
		if (shape->size && !memcmp(shape->bytes, start, strlen(start)))
			return shape;
	fail_msg("no shape of a head that begins with %s", start);
	return NULL;
}

/* Puts a shape at all places of all CPUs. */
static void shapes_fill(struct shapes *shapes, const struct http_shape *with)
{
	struct http_shape *shape = NULL;
	const __u32 key = 0;

	while ((shape = shapes_next(shapes, shape)))
		*shape = *with;
	assert_return_code(bpf_map_update_elem(shapes->map, &key, shapes->data, BPF_EXIST), errno);
	close(shapes->map);
	free(shapes->data);
}

/* The next head is learned, wherever it has its place. */
static void shapes_forget(const char *cgroup)
{
	static const struct http_shape nothing;
	struct shapes shapes = shapes_read(cgroup);

	shapes_fill(&shapes, &nothing);
}

/*
 * Puts the shape of a head that begins like this at all places, to stay, and makes it tell another
 * status.
 */
static void shapes_spoil(const char *cgroup, const char *start, __u16 status)
{
	struct shapes shapes = shapes_read(cgroup);
	struct http_shape spoiled = *shapes_find(&shapes, start);

	spoiled.status = status;
	spoiled.wait = UINT16_MAX;
	shapes_fill(&shapes, &spoiled);
}
