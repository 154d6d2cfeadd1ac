/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Paths as routes: numbers, UUIDs and other values that differ from request to request are left
 * out. What the kernel half takes for one automatic route (bpf/lib/http_route.h) gives one text.
 * Pure.
 */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_PATH_H
#define SKEP_NODE_AGENT_PROBES_HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for twelve segments of up to 64 bytes, and what stands for the rest. */
#define HTTP_PATH_SIZE 896

/*
 * Writes the path of a request's target ("/users/17/orders?page=2" gives "/users/{number}/orders");
 * "" where it has none. Query, fragment and parameters are left out; the text is printable ASCII.
 * With `cut`, the target goes on behind `size` bytes: if the path does, its last segment there is
 * left out with what follows ("{rest...}"). Returns how many bytes it has.
 */
size_t http_path_normalize(const char *target, size_t size, bool cut,
			   char ret_text[HTTP_PATH_SIZE]);

#endif
