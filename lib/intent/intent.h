/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What may be asked of a pod: the kinds of probes and their settings, as a policy writes them and
 * as the operator sends them to agents (the same JSON). One row of a table and one file per probe.
 */
#ifndef SKEP_LIB_INTENT_INTENT_H
#define SKEP_LIB_INTENT_INTENT_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/intent/http_routes.h"
#include "lib/intent/http_status_set.h"

enum probe_type { PROBE_TCP, PROBE_EXEC, PROBE_DNS, PROBE_HTTP };
#define PROBE_TYPES 4

/* How much of a command line leaves the node, least first. */
enum exec_arguments { EXEC_ARGUMENTS_NONE, EXEC_ARGUMENTS_REDACTED, EXEC_ARGUMENTS_RAW };

struct exec_settings {
	enum exec_arguments arguments;
	bool failures; /* execs that fail as well */
};

/* Bounds of dns.slowThreshold, in ns. */
#define DNS_SLOW_LEAST 1000000ULL
#define DNS_SLOW_MOST  60000000000ULL

struct dns_settings {
	uint64_t slow_ns; /* lookups that take as long are told one by one; 0: none */
	bool failures;	  /* and those that fail */
};

/* Bounds of http.slowThreshold, in ns, and of the other settings of HTTP. */
#define HTTP_SLOW_LEAST	 1000000ULL
#define HTTP_SLOW_MOST	 600000000000ULL
#define HTTP_PORTS_LIMIT 16
#define HTTP_SAMPLE_MOST 1000000

/* What of a path may be told, least first. */
enum http_paths { HTTP_PATHS_NONE, HTTP_PATHS_NORMALIZED, HTTP_PATHS_RAW };

struct http_settings {
	uint64_t slow_ns;	       /* requests that take as long are told one by one; 0: none */
	struct http_status_set report; /* and those that are answered so */
	uint32_t sample_one_in;	       /* and one of so many; 0: none */
	uint16_t ports[HTTP_PORTS_LIMIT]; /* of the server: only these, sorted */
	uint8_t port_count;		  /* 0: every port */
	enum http_paths paths;
	bool by_route;		    /* counted by automatic routes */
	struct http_routes *routes; /* and by these, held; NULL: none */
};

/* The settings of one probe; which member holds is said by the probe's type. */
union probe_settings {
	struct exec_settings exec;
	struct dns_settings dns;
	struct http_settings http;
};

/* How much of the text that a probe sees may leave the node, least first. */
enum probe_text { PROBE_TEXT_NONE, PROBE_TEXT_NORMALIZED, PROBE_TEXT_RAW };

/* The name of a type as the API writes it: "TCP", "Exec", "DNS", "HTTP". */
const char *probe_type_name(enum probe_type type);

/* Returns 0 with *ret_type, or -EINVAL where no probe has this name (NULL included). */
int probe_type_parse(const char *name, enum probe_type *ret_type);

/*
 * Reads the settings of a probe of `type` from its entry ({"type": "Exec", "exec": {...}}); what is
 * not given has its default. The message of an error begins with the field below the entry
 * ("exec.arguments: ...") and names the remedy. Returns 0, with settings that end with
 * probe_settings_free(), -EINVAL or -ENOMEM.
 */
int probe_settings_decode(enum probe_type type, const cJSON *entry,
			  union probe_settings *ret_settings, struct error *error);

/* Writes settings into an entry that has its "type" already. Returns 0 or -ENOMEM. */
int probe_settings_encode(enum probe_type type, const union probe_settings *settings, cJSON *entry);

/* A copy, which ends with probe_settings_free(): settings hold what they share with others. */
union probe_settings probe_settings_copy(enum probe_type type,
					 const union probe_settings *settings);

/* Releases what the settings hold; they are empty afterwards. Zeroed ones hold nothing. */
void probe_settings_free(enum probe_type type, union probe_settings *settings);

/*
 * Makes `settings` the union of itself and `other`: what either asks for is done. Returns 0, or
 * -ENOMEM with `settings` as it was.
 */
int probe_settings_merge(enum probe_type type, union probe_settings *settings,
			 const union probe_settings *other);

/*
 * What of an entry says how much text may leave the node ("exec.arguments"), in words for people,
 * or NULL for a probe that tells none.
 */
const char *probe_text_field(enum probe_type type);

/* Whether an entry gives that, so that it is not the default that holds. */
bool probe_text_is_given(enum probe_type type, const cJSON *entry);

/* How much text the settings let leave the node. */
enum probe_text probe_settings_text(enum probe_type type, const union probe_settings *settings);

/* Lets no more leave the node than `most`. */
void probe_settings_cap_text(enum probe_type type, union probe_settings *settings,
			     enum probe_text most);

bool probe_settings_equal(enum probe_type type, const union probe_settings *a,
			  const union probe_settings *b);

#endif
