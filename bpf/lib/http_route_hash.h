/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* The hash by which both halves know a segment of a path: FNV-1a, 64 bits. */
#ifndef SKEP_BPF_LIB_HTTP_ROUTE_HASH_H
#define SKEP_BPF_LIB_HTTP_ROUTE_HASH_H

#include <linux/types.h>

#define HTTP_ROUTE_HASH_START 0xcbf29ce484222325ULL
#define HTTP_ROUTE_HASH_PRIME 0x100000001b3ULL

static __always_inline __u64 http_route_hash_byte(__u64 hash, __u8 c)
{
	return (hash ^ c) * HTTP_ROUTE_HASH_PRIME;
}

#endif
