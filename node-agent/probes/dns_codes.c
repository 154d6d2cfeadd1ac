// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_codes.h"

#include <stddef.h>

static const struct name {
	uint16_t number;
	const char *name;
} types[] = {
	{1, "A"},	{2, "NS"},     {5, "CNAME"},  {6, "SOA"},    {12, "PTR"},
	{13, "HINFO"},	{15, "MX"},    {16, "TXT"},   {28, "AAAA"},  {33, "SRV"},
	{35, "NAPTR"},	{43, "DS"},    {44, "SSHFP"}, {46, "RRSIG"}, {47, "NSEC"},
	{48, "DNSKEY"}, {52, "TLSA"},  {64, "SVCB"},  {65, "HTTPS"}, {99, "SPF"},
	{251, "IXFR"},	{252, "AXFR"}, {255, "ANY"},  {256, "URI"},  {257, "CAA"},
};

static const struct name codes[] = {
	{0, "NOERROR"},	 {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},	{4, "NOTIMP"},
	{5, "REFUSED"},	 {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},	{9, "NOTAUTH"},
	{10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {23, "BADCOOKIE"},
};

static const char *find(const struct name *names, size_t count, uint16_t number)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].number == number)
			return names[i].name;
	return NULL;
}

const char *dns_type_name(uint16_t type)
{
	return find(types, sizeof(types) / sizeof(types[0]), type);
}

const char *dns_code_name(uint16_t code)
{
	return find(codes, sizeof(codes) / sizeof(codes[0]), code);
}
