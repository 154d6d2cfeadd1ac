/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Text of processes may be any bytes; JSON wants UTF-8. */
#ifndef SKEP_NODE_AGENT_PROBES_UTF8_H
#define SKEP_NODE_AGENT_PROBES_UTF8_H

/* Replaces, in place, each byte that is no part of well-formed UTF-8 (RFC 3629) by '?'. */
void utf8_repair(char *text);

#endif
