// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_event.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "node-agent/probes/dns_codes.h"
#include "node-agent/probes/event_time.h"

#define NUMBER_SIZE 16 /* "TYPE65535", as RFC 3597 names what has no name */

static bool failed(const struct dns_lookup *lookup)
{
	return lookup->timed_out || (lookup->code != DNS_CODE_NOERROR && !lookup->search);
}

bool dns_event_wanted(const struct dns_lookup *lookup, const struct dns_settings *settings)
{
	if (settings->failures && failed(lookup))
		return true;
	return settings->slow_ns && lookup->duration >= settings->slow_ns;
}

static bool add_name(cJSON *event, const struct dns_lookup *lookup)
{
	char searched[DNS_NAME_SIZE];

	if (!cJSON_AddStringToObject(event, "question", lookup->name))
		return false;
	snprintf(searched, sizeof(searched), "%.*s", (int)lookup->search, lookup->name);
	return !lookup->search || cJSON_AddStringToObject(event, "search_for", searched);
}

/* Adds the name of a number, or the number behind a word where it has none. */
static bool add_number(cJSON *event, const char *member, const char *name, const char *word,
		       unsigned int number)
{
	char text[NUMBER_SIZE];

	snprintf(text, sizeof(text), "%s%u", word, number);
	return cJSON_AddStringToObject(event, member, name ? name : text);
}

static bool add_result(cJSON *event, const struct dns_lookup *lookup)
{
	if (lookup->timed_out)
		return cJSON_AddTrueToObject(event, "timed_out");
	return cJSON_AddFalseToObject(event, "timed_out") &&
	       add_number(event, "response_code", dns_code_name(lookup->code), "RCODE",
			  lookup->code) &&
	       cJSON_AddBoolToObject(event, "truncated", lookup->truncated);
}

static bool add_server(cJSON *event, const struct dns_lookup *lookup)
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];

	memcpy(&address, lookup->server, sizeof(address));
	if (IN6_IS_ADDR_V4MAPPED(&address))
		inet_ntop(AF_INET, &lookup->server[12], text, sizeof(text));
	else
		inet_ntop(AF_INET6, &address, text, sizeof(text));
	return cJSON_AddStringToObject(event, "server", text) &&
	       cJSON_AddStringToObject(event, "transport", lookup->tcp ? "tcp" : "udp");
}

cJSON *dns_event_build(const struct dns_lookup *lookup, int64_t clock_offset)
{
	cleanup_json cJSON *event = cJSON_CreateObject();
	uint64_t microseconds = lookup->duration / 1000;

	if (!event || !event_time_add(event, lookup->asked, clock_offset) ||
	    !add_name(event, lookup) ||
	    !add_number(event, "question_type", dns_type_name(lookup->type), "TYPE",
			lookup->type) ||
	    !add_result(event, lookup) ||
	    !cJSON_AddNumberToObject(event, "duration_ms", (double)microseconds / 1000) ||
	    !cJSON_AddNumberToObject(event, "retries", lookup->retries) ||
	    !add_server(event, lookup))
		return NULL;
	return take_pointer(event);
}
