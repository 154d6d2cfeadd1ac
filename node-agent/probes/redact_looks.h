/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Masks what is a secret by its looks, whatever its name. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_REDACT_LOOKS_H
#define SKEP_NODE_AGENT_PROBES_REDACT_LOOKS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Replaces `length` bytes at `start` by three asterisks, or as many as there were bytes; the rest
 * of the string moves up. Returns where it goes on.
 */
char *redact_mask(char *start, size_t length);

/* Masks PEM blocks, user:password@ in URLs, JSON web tokens and long random words in `text`. */
void redact_looks(char *text);

/* True for the first `length` bytes of `word` when they look drawn at random. */
bool redact_looks_random(const char *word, size_t length);

#endif
