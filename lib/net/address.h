/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* An IP address of either family in 16 bytes: IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
#ifndef SKEP_LIB_NET_ADDRESS_H
#define SKEP_LIB_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#define IP_ADDRESS_SIZE	     16
#define IP_ADDRESS_TEXT_SIZE 46 /* the longest text and its NUL, as INET6_ADDRSTRLEN */

struct ip_address {
	uint8_t bytes[IP_ADDRESS_SIZE]; /* network byte order */
};

/* Reads "10.0.0.7", "fd00::7" or "::ffff:10.0.0.7"; false for what is none, a NULL included. */
bool ip_address_parse(const char *text, struct ip_address *ret_address);

/* Writes the address as people know it, IPv4 with dots; returns `text`. */
const char *ip_address_format(const struct ip_address *address, char text[IP_ADDRESS_TEXT_SIZE]);

#endif
