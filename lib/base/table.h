/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Hash tables (uthash, https://troydhanson.github.io/uthash/) that outlive a lack of memory: what
 * HASH_ADD and its kin could not add is in no table, which is_in_table() says. Without this,
 * uthash ends the process. To be included in place of <uthash.h>.
 */
#ifndef SKEP_LIB_BASE_TABLE_H
#define SKEP_LIB_BASE_TABLE_H

#ifdef UTHASH_H
#error "include lib/base/table.h in place of <uthash.h>"
#endif

#define HASH_NONFATAL_OOM 1

#include <uthash.h>

/* Whether the item is in, after it was to be added by its member `hh`. */
#define is_in_table(item) ((item)->hh.tbl != NULL)

/* Moves an item that is in to the end of the table's order. Takes no memory, so it cannot fail. */
#define table_move_to_end(table, item)                                                             \
	do {                                                                                       \
		__typeof__(item) next_ = (item)->hh.next, prev_ = (item)->hh.prev;                 \
		if (!next_)                                                                        \
			break;                                                                     \
		next_->hh.prev = prev_;                                                            \
		if (prev_)                                                                         \
			prev_->hh.next = next_;                                                    \
		else                                                                               \
			(table) = next_;                                                           \
		HASH_APPEND_LIST(hh, table, item);                                                 \
	} while (0)

#endif
