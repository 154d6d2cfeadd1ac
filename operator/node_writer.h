/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Writes the NodeProbeReports that the book of nodes says are due, by server-side apply: one at a
 * time for each node, so many a second of all.
 */
#ifndef SKEP_OPERATOR_NODE_WRITER_H
#define SKEP_OPERATOR_NODE_WRITER_H

#include <stdint.h>

#include "lib/kube/client.h"
#include "operator/node_book.h"
#include "operator/status_writer.h"

/* Of all nodes together; a fleet of 5,000 that is met first is written in about four minutes. */
#define NODE_WRITES_PER_SECOND 20

struct node_writer;

/* `book` must outlive it. It rests at first. NULL: no memory. */
struct node_writer *node_writer_new(struct kube_client *client, struct node_book *book,
				    status_writer_guard may_write, void *context);

/* To be called once a second while this operator leads: writes what is due. */
void node_writer_tick(struct node_writer *writer, const struct node_book_view *view);

/* Drops what is under way. */
void node_writer_rest(struct node_writer *writer);

/* Returns NULL. */
struct node_writer *node_writer_free(struct node_writer *writer);

struct status_writer_stats node_writer_stats(const struct node_writer *writer);

#endif
