/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Masks what looks secret in a command line, by names (password, token, ...), by places (user:pass@
 * in URLs, Authorization, -p of database clients) and by looks (PEM, JWT, long random words). It
 * cannot know every secret: whoever must be sure asks for no arguments at all. Pure.
 */
#ifndef SKEP_NODE_AGENT_PROBES_REDACT_H
#define SKEP_NODE_AGENT_PROBES_REDACT_H

#include <stddef.h>

/*
 * Masks in place: a secret becomes "***" (as many asterisks as it has bytes where those are fewer),
 * so that no argument grows. arguments[0] is the command. Strings must be writable.
 */
void redact_arguments(char *const arguments[], size_t count);

#endif
