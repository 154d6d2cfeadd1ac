/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The names of one target that metrics tell apart: a bounded number, first come, first served, and
 * never let go. So that names that are asked for once (a flood of random ones) do not take the
 * place of those that are asked for again, a name gets its place with its second lookup; up to half
 * of the places are given to names that exist with their first.
 */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_NAMES_H
#define SKEP_NODE_AGENT_PROBES_DNS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAMES_LIMIT 100
#define DNS_NAMES_FREE	(DNS_NAMES_LIMIT / 2)
#define DNS_NAMES_SEEN	512 /* places where first lookups leave a trace; the newer one stays */

#define DNS_NAMES_OTHER "_other"

/* Zeroed at the start. */
struct dns_names {
	size_t count;
	char *names[DNS_NAMES_LIMIT];
	uint32_t hashes[DNS_NAMES_LIMIT];
	uint32_t seen[DNS_NAMES_SEEN];
};

/*
 * The name under which a lookup is counted: itself or DNS_NAMES_OTHER. `name` are `length` bytes;
 * lookups of different types leave different traces, as most names are looked up for A and AAAA.
 * The result lives as long as the table.
 */
const char *dns_names_admit(struct dns_names *names, const char *name, size_t length, uint16_t type,
			    bool exists);

/* Frees the names. */
void dns_names_free(struct dns_names *names);

#endif
