/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Keeps the selection in a file, so that an agent that starts while the operator is away goes on
 * with what it was told last; and counts the agent's starts.
 */
#ifndef SKEP_NODE_AGENT_SELECTION_STORE_H
#define SKEP_NODE_AGENT_SELECTION_STORE_H

#include <stdint.h>

#include <uv.h>

#include "lib/base/error.h"
#include "node-agent/selection/desired.h"

#define STORE_FILE_LIMIT  (16 << 20) /* bytes; a larger file is taken for damaged */
#define STORE_INTERVAL_MS 1000	     /* between two writes at least */

/*
 * Reads <directory>/selection.json into `desired`, which is empty. Returns 0, also when there is no
 * such file; a negative errno, with `desired` empty, when it cannot be read or is damaged.
 */
int store_load(const char *directory, struct desired *desired, struct error *error);

/* Writes the selection, so that whoever reads sees the old or the new one whole (mode 0600). */
int store_save(const char *directory, const struct desired *desired, struct error *error);

/* Makes the directory if need be (mode 0700, parents included). */
int store_prepare(const char *directory, struct error *error);

/* Adds one to the number in <directory>/starts and returns it; a damaged file counts as 0. */
int store_count_start(const char *directory, uint64_t *ret_starts, struct error *error);

/* Writes a selection some time after it has changed, seldom enough. */
struct store_writer;

/* Borrows `directory` and `desired`. */
int store_writer_new(uv_loop_t *loop, const char *directory, const struct desired *desired,
		     struct store_writer **ret_writer, struct error *error);

/* The selection has changed: it is written within STORE_INTERVAL_MS. */
void store_writer_touch(struct store_writer *writer);

/* Writes what is not written yet. Returns NULL; the memory goes as the loop runs on. */
struct store_writer *store_writer_free(struct store_writer *writer);

#endif
