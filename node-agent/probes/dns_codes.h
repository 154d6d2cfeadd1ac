/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The names of DNS's numbers, as IANA's registry "DNS Parameters" has them. */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_CODES_H
#define SKEP_NODE_AGENT_PROBES_DNS_CODES_H

#include <stdint.h>

/* Of a type of record, like "AAAA"; NULL for one that hardly anybody asks for. */
const char *dns_type_name(uint16_t type);

/* Of a response code, like "NXDOMAIN"; NULL for one that is not in use. */
const char *dns_code_name(uint16_t code);

#endif
