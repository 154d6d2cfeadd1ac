/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Reads the ring buffer of the Exec probe on a timer, and when the kernel says that it fills up: a
 * wake-up per record would cost the watched more than the record.
 */
#ifndef SKEP_NODE_AGENT_PROBES_EXEC_READER_H
#define SKEP_NODE_AGENT_PROBES_EXEC_READER_H

#include <uv.h>

#include "bpf/exec.h"
#include "lib/base/error.h"

struct exec_reader;

/* Takes a record that is whole; it is gone when the function returns. */
typedef void exec_reader_take(void *context, const struct exec_record *record);

/*
 * Makes a reader of the map `records`, whose timer stands still as yet. Returns 0 with *ret_reader,
 * or a negative errno.
 */
int exec_reader_new(uv_loop_t *loop, int records, exec_reader_take *take, void *context,
		    struct exec_reader **ret_reader, struct error *error);

/* Takes nothing any more; the memory goes with the loop's next turn. Returns NULL. */
struct exec_reader *exec_reader_free(struct exec_reader *reader);

/* Starts the timer, if it stands still, and stops it. */
void exec_reader_start(struct exec_reader *reader);
void exec_reader_stop(struct exec_reader *reader);

/* Takes all records that are there now. */
void exec_reader_read(struct exec_reader *reader);

#endif
