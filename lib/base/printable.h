/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Text that may quote a stranger, made fit for a message. */
#ifndef SKEP_LIB_BASE_PRINTABLE_H
#define SKEP_LIB_BASE_PRINTABLE_H

/*
 * Puts '?' for each byte that is of no well-formed UTF-8 character (RFC 3629), and for control
 * characters. The API server reads what we send as YAML, which takes neither (YAML 1.2, 5.1), so
 * that one such byte in a message would hold up the whole status.
 */
void text_make_printable(char *text);

#endif
