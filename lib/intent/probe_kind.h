/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The row that each probe's file in this folder adds to the table of intent.c. */
#ifndef SKEP_LIB_INTENT_PROBE_KIND_H
#define SKEP_LIB_INTENT_PROBE_KIND_H

#include "lib/intent/intent.h"

struct intent_kind {
	const char *name;   /* as the API writes the type */
	const char *member; /* of an entry: where its settings stand; NULL: it has none */
	/* NULL functions: the probe has no settings. Contracts as in intent.h. */
	int (*decode)(const cJSON *entry, union probe_settings *ret_settings, struct error *error);
	int (*encode)(const union probe_settings *settings, cJSON *entry);
	int (*merge)(union probe_settings *settings, const union probe_settings *other);
	bool (*equal)(const union probe_settings *a, const union probe_settings *b);
	/* NULL: the probe tells no text. */
	const char *text_field;			    /* as probe_text_field() gives it */
	bool (*text_is_given)(const cJSON *member); /* the member may be NULL */
	enum probe_text (*text)(const union probe_settings *settings);
	void (*cap_text)(union probe_settings *settings, enum probe_text most);
	/* NULL, too, where the settings hold nothing. */
	void (*hold)(const union probe_settings *settings);
	void (*release)(union probe_settings *settings);
};

extern const struct intent_kind tcp_intent;
extern const struct intent_kind exec_intent;
extern const struct intent_kind dns_intent;
extern const struct intent_kind http_intent;

#endif
