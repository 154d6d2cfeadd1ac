/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Reads a DNS message (RFC 1035, 4; EDNS: RFC 6891): the header, the question, the addresses that
 * it gives. Whoever wrote it may have lied in any part of it. Pure.
 */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_MESSAGE_H
#define SKEP_NODE_AGENT_PROBES_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_SIZE	    256 /* of a name as text, with its NUL */
#define DNS_ADDRESSES_LIMIT 16	/* of one answer; more are passed over */

#define DNS_TYPE_A    1
#define DNS_TYPE_AAAA 28

#define DNS_CODE_NOERROR  0
#define DNS_CODE_NXDOMAIN 3

struct dns_address {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint32_t ttl_s;
};

struct dns_message {
	uint16_t id;
	uint8_t operation; /* 0: a query for a name, and its answer */
	bool is_answer;
	bool truncated; /* the server says that it had more to tell */
	bool damaged;	/* behind the question, something is not as it must be */
	uint16_t code;	/* of an answer; with the upper bits that EDNS adds */
	uint16_t type;
	/*
	 * What is asked for: in lower case, without the last dot ("." for the root). A byte that is
	 * no visible ASCII becomes \DDD, a dot or backslash within a label \. and \\ (RFC 4343,
	 * 2.1); what is too long then is cut.
	 */
	char name[DNS_NAME_SIZE];
	struct dns_address addresses[DNS_ADDRESSES_LIMIT]; /* of A and AAAA, whatever their owner */
	size_t address_count;
};

/*
 * Reads the first `captured` of a message's `size` bytes. Returns 0 with *ret_message, or -EINVAL
 * for what is no message with one question: cut within it, with a name that is no name, …
 */
int dns_message_parse(const uint8_t *data, size_t captured, size_t size,
		      struct dns_message *ret_message);

#endif
