// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/net/address.h"

#include <string.h>

#include <arpa/inet.h>

#define MAPPED_PREFIX_SIZE 12

_Static_assert(IP_ADDRESS_TEXT_SIZE >= INET6_ADDRSTRLEN, "inet_ntop() must have room");

static const uint8_t mapped_prefix[MAPPED_PREFIX_SIZE] = {[10] = 0xff, [11] = 0xff};

bool ip_address_parse(const char *text, struct ip_address *ret_address)
{
	struct ip_address address;

	if (!text)
		return false;
	if (inet_pton(AF_INET, text, address.bytes + MAPPED_PREFIX_SIZE) == 1)
		memcpy(address.bytes, mapped_prefix, MAPPED_PREFIX_SIZE);
	else if (inet_pton(AF_INET6, text, address.bytes) != 1)
		return false;
	*ret_address = address;
	return true;
}

const char *ip_address_format(const struct ip_address *address, char text[IP_ADDRESS_TEXT_SIZE])
{
	if (memcmp(address->bytes, mapped_prefix, MAPPED_PREFIX_SIZE) == 0)
		inet_ntop(AF_INET, address->bytes + MAPPED_PREFIX_SIZE, text, IP_ADDRESS_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, address->bytes, text, IP_ADDRESS_TEXT_SIZE);
	return text;
}
