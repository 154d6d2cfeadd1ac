/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Tells the names that a resolver made from what the application asked for. A pod's resolver
 * appends, one after the other, "<namespace>.svc.<domain>", "svc.<domain>", "<domain>" and perhaps
 * domains of the node (resolv.conf(5), search), until one exists; before or after that it tries the
 * name as it is (ndots). On the wire all of them look alike; two that follow each other give it
 * away. Pure.
 */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_SEARCH_H
#define SKEP_NODE_AGENT_PROBES_DNS_SEARCH_H

#include <stddef.h>

enum dns_search_step {
	DNS_SEARCH_NONE,  /* two lookups that have nothing to do with each other */
	DNS_SEARCH_BEGUN, /* the first is the name as asked, the second is made from it */
	DNS_SEARCH_NEXT,  /* both are made from the same name */
	DNS_SEARCH_ENDED, /* the first is made from the second, the name as asked */
};

/*
 * What two names are to each other that a pod of `namespace` looked up in this order, the first in
 * vain. *ret_length is the length of the name as asked, with which the other or both begin.
 */
enum dns_search_step dns_search_step(const char *first, const char *second, const char *namespace,
				     size_t *ret_length);

#endif
