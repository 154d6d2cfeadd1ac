/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What an agent says of its node as a whole: the kernel, what it can do and what it cannot, the
 * programs that are loaded, the pods, kernel memory, and events that were lost. A tree of JSON, in
 * the shape of docs/protocol.md ("node"), as both ends only hand it on.
 */
#ifndef SKEP_LIB_LINK_NODE_FACTS_H
#define SKEP_LIB_LINK_NODE_FACTS_H

#include <cjson/cJSON.h>

#include "lib/base/error.h"

/* What is beyond these bounds is left out, texts (in bytes) are cut. */
#define NODE_TEXT_LIMIT		128
#define NODE_MESSAGE_LIMIT	512
#define NODE_CAPABILITIES_LIMIT 32 /* available and missing ones, each */
#define NODE_AFFECTS_LIMIT	16 /* probes that one missing capability affects */
#define NODE_PROGRAMS_LIMIT	64
#define NODE_PROBES_LIMIT	16

/*
 * The facts that a message tells, in a tree of their own for the caller to free: members that are
 * known, of the type that they must have, within the bounds, printable. Empty texts and lists are
 * left out, numbers are whole and not negative. Returns 0, -EINVAL where the agent's version or the
 * kernel's release is missing, or -ENOMEM.
 */
int node_facts_decode(const cJSON *message, cJSON **ret_facts, struct error *error);

#endif
