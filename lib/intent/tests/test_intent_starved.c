// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Settings of probes are read, united and written, or it is said that memory ran out. */

#include "lib/base/tests/starve.h"

#include "lib/base/tests/parse.h"

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/intent/intent.h"

struct entries {
	enum probe_type type;
	cJSON *one, *other;
};

static bool unite_and_write(void *context)
{
	const struct entries *entries = context;
	union probe_settings one = {0}, other = {0};
	cleanup_json cJSON *entry = NULL;
	bool done = probe_settings_decode(entries->type, entries->one, &one, NULL) == 0;

	done = done && probe_settings_decode(entries->type, entries->other, &other, NULL) == 0 &&
	       probe_settings_merge(entries->type, &one, &other) == 0;
	if (done)
		entry = cJSON_CreateObject();
	done = entry && probe_settings_encode(entries->type, &one, entry) == 0;
	probe_settings_free(entries->type, &one);
	probe_settings_free(entries->type, &other);
	return done;
}

static void survives_without_memory(void **state)
{
	static const struct {
		const char *name, *one, *other;
	} cases[PROBE_TYPES] = {
		[PROBE_TCP] = {"TCP", "{}", "{}"},
		[PROBE_EXEC] = {"Exec", "{'exec': {'arguments': 'Raw'}}",
				"{'exec': {'failures': true}}"},
		[PROBE_DNS] = {"DNS", "{'dns': {'slowThreshold': '100ms'}}",
			       "{'dns': {'failures': true}}"},
		[PROBE_HTTP] = {"HTTP",
				"{'http': {'ports': [80, 8080], 'slowThreshold': '1s', 'report':"
				" ['5xx', '404'], 'sampleOneIn': 10, 'routes': ['/a/{b}', '/c']}}",
				"{'http': {'ports': [81], 'report': ['403'], 'byRoute': true,"
				" 'paths': 'Raw', 'routes': ['/d']}}"},
	};

	(void)state;
	for (int type = 0; type < PROBE_TYPES; type++) {
		struct entries entries = {(enum probe_type)type, json_of(cases[type].one),
					  json_of(cases[type].other)};

		assert_true(starve_work(cases[type].name, unite_and_write, &entries, false) >=
			    (type == PROBE_HTTP ? 30 : 1));
		cJSON_Delete(entries.one);
		cJSON_Delete(entries.other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
