/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Writes lines to a file that somebody may or may not read, and never waits for him: what cannot be
 * written is kept up to a bound, and beyond it lines are dropped, whole, and counted.
 */
#ifndef SKEP_NODE_AGENT_EXPORT_WRITER_H
#define SKEP_NODE_AGENT_EXPORT_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "lib/base/error.h"

#define WRITER_BUFFER_LIMIT (1 << 20) /* bytes that wait for the reader */

struct line_writer;

struct line_writer_stats {
	uint64_t lines;	  /* taken, ever */
	uint64_t dropped; /* not taken, or taken and then lost with the file */
};

/* Borrows the descriptor, whose blocking mode is left alone (others may share it). */
int line_writer_new(uv_loop_t *loop, int descriptor, struct line_writer **ret_writer,
		    struct error *error);

/* Queues a line (given without the newline); written soon after, with the others of the moment. */
void line_writer_add(struct line_writer *writer, const char *line, size_t length);

struct line_writer_stats line_writer_stats(const struct line_writer *writer);

/* Writes what can be written at once. Returns NULL; the memory goes as the loop runs on. */
struct line_writer *line_writer_free(struct line_writer *writer);

#endif
