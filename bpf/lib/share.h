/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * How much of a table that all pods of a node share the pods of one namespace may have, so that
 * nobody can fill it to the harm of others: a namespace gets further places while it has then no
 * more than SHARE_TIMES_FREE times what was free. Alone on a node it can have three quarters; of
 * two that want all, each has three sevenths; and whoever comes finds some free, however many are
 * there. Nobody has to know how many there are, and what one does not use, others can have.
 */
#ifndef SKEP_BPF_LIB_SHARE_H
#define SKEP_BPF_LIB_SHARE_H

#include <linux/types.h>
#include <stdbool.h>

#define SHARE_TIMES_FREE 3

/* May who holds `held` of `limit` places have `more`, while all together hold `held_by_all`? */
static inline bool share_has_room(__u64 held, __u64 held_by_all, __u64 limit, __u64 more)
{
	return held_by_all + more <= limit &&
	       held + more <= SHARE_TIMES_FREE * (limit - held_by_all);
}

/*
 * What namespaces hold of tables in the kernel, in a map. The programs take places, user space
 * returns them, and neither can change a number that the other one changes, too: so each counts in
 * rows of its own, what it has ever done.
 */
enum share_side { SHARE_TAKEN, SHARE_RETURNED };

struct share_key {
	__u32 namespace; /* its number; SHARE_NODE: all together */
	__u32 side;	 /* enum share_side */
};

#define SHARE_NODE	       0
#define SHARE_NAMESPACES_LIMIT 4095 /* of a node, that have pods with a probe */
#define SHARE_ROWS_LIMIT       (2 * (1 + SHARE_NAMESPACES_LIMIT))
#define SHARE_TABLES	       2 /* of one probe, at most */

struct share_row {
	__u64 places[SHARE_TABLES];
};

#endif
