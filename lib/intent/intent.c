// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/intent/intent.h"

#include <errno.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/intent/probe_kind.h"

static const struct intent_kind *const kinds[PROBE_TYPES] = {
	[PROBE_TCP] = &tcp_intent,
	[PROBE_EXEC] = &exec_intent,
	[PROBE_DNS] = &dns_intent,
	[PROBE_HTTP] = &http_intent,
};

const char *probe_type_name(enum probe_type type)
{
	return kinds[type]->name;
}

int probe_type_parse(const char *name, enum probe_type *ret_type)
{
	for (int type = 0; name && type < PROBE_TYPES; type++) {
		if (strcmp(name, kinds[type]->name) == 0) {
			*ret_type = (enum probe_type)type;
			return 0;
		}
	}
	return -EINVAL;
}

/* Settings of another probe would have no effect: said, rather than passed over. */
static int check_members(enum probe_type type, const cJSON *entry, struct error *error)
{
	for (int other = 0; other < PROBE_TYPES; other++) {
		const char *member = kinds[other]->member;

		if (other != (int)type && member && json_find(entry, member))
			return error_set(error, EINVAL,
					 "%s: goes with type %s only; leave it out, or change the "
					 "type",
					 member, kinds[other]->name);
	}
	return 0;
}

int probe_settings_decode(enum probe_type type, const cJSON *entry,
			  union probe_settings *ret_settings, struct error *error)
{
	int result = check_members(type, entry, error);

	if (result < 0)
		return result;
	if (kinds[type]->decode)
		return kinds[type]->decode(entry, ret_settings, error);
	memset(ret_settings, 0, sizeof(*ret_settings));
	return 0;
}

int probe_settings_encode(enum probe_type type, const union probe_settings *settings, cJSON *entry)
{
	return kinds[type]->encode ? kinds[type]->encode(settings, entry) : 0;
}

union probe_settings probe_settings_copy(enum probe_type type, const union probe_settings *settings)
{
	if (kinds[type]->hold)
		kinds[type]->hold(settings);
	return *settings;
}

void probe_settings_free(enum probe_type type, union probe_settings *settings)
{
	if (kinds[type]->release)
		kinds[type]->release(settings);
	memset(settings, 0, sizeof(*settings));
}

int probe_settings_merge(enum probe_type type, union probe_settings *settings,
			 const union probe_settings *other)
{
	return kinds[type]->merge ? kinds[type]->merge(settings, other) : 0;
}

const char *probe_text_field(enum probe_type type)
{
	return kinds[type]->text_field;
}

bool probe_text_is_given(enum probe_type type, const cJSON *entry)
{
	const struct intent_kind *kind = kinds[type];

	return kind->text_field && kind->text_is_given(json_find(entry, kind->member));
}

enum probe_text probe_settings_text(enum probe_type type, const union probe_settings *settings)
{
	return kinds[type]->text_field ? kinds[type]->text(settings) : PROBE_TEXT_NONE;
}

void probe_settings_cap_text(enum probe_type type, union probe_settings *settings,
			     enum probe_text most)
{
	if (kinds[type]->text_field)
		kinds[type]->cap_text(settings, most);
}

bool probe_settings_equal(enum probe_type type, const union probe_settings *a,
			  const union probe_settings *b)
{
	return kinds[type]->equal ? kinds[type]->equal(a, b) : true;
}
