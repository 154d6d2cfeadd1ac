// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/lease_state.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

#define SECOND_MS 1000

static uint32_t duration_of(const cJSON *lease)
{
	int64_t seconds = json_integer(lease, 0, "spec", "leaseDurationSeconds");

	if (seconds < 1)
		return SECOND_MS;
	if (seconds > LEASE_DURATION_LIMIT_MS / SECOND_MS)
		return LEASE_DURATION_LIMIT_MS;
	return (uint32_t)seconds * SECOND_MS;
}

void lease_seen_update(struct lease_seen *seen, const cJSON *lease, uint64_t now_ms)
{
	struct lease_seen fresh = {.exists = lease, .since_ms = now_ms};

	if (lease) {
		snprintf(fresh.holder, sizeof(fresh.holder), "%s",
			 json_text(lease, "spec", "holderIdentity"));
		snprintf(fresh.version, sizeof(fresh.version), "%s",
			 json_text(lease, "metadata", "resourceVersion"));
		fresh.duration_ms = duration_of(lease);
	}
	if (seen->exists == fresh.exists && strcmp(seen->version, fresh.version) == 0)
		fresh.since_ms = seen->since_ms;
	*seen = fresh;
}

enum lease_step lease_next(const struct lease_seen *seen, const char *identity, uint64_t now_ms)
{
	if (!seen->exists)
		return LEASE_CREATE;
	if (!*seen->holder || strcmp(seen->holder, identity) == 0)
		return LEASE_TAKE;
	return now_ms - seen->since_ms >= seen->duration_ms ? LEASE_TAKE : LEASE_WAIT;
}

/* MicroTime of the API: RFC 3339 with microseconds. */
static bool put_time(cJSON *spec, const char *name, const struct timespec *moment)
{
	char text[64];
	struct tm parts;
	size_t length;

	gmtime_r(&moment->tv_sec, &parts);
	length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, sizeof(text) - length, ".%06ldZ", moment->tv_nsec / 1000);
	cJSON_DeleteItemFromObjectCaseSensitive(spec, name);
	return cJSON_AddStringToObject(spec, name, text);
}

static bool put_string(cJSON *object, const char *name, const char *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
	return cJSON_AddStringToObject(object, name, value);
}

static bool put_number(cJSON *object, const char *name, int64_t value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
	return cJSON_AddNumberToObject(object, name, (double)value);
}

/* The member of this name, an object; made where there is none. */
static cJSON *ensure_object(cJSON *json, const char *name)
{
	cJSON *object = cJSON_GetObjectItemCaseSensitive(json, name);

	if (cJSON_IsObject(object))
		return object;
	cJSON_DeleteItemFromObjectCaseSensitive(json, name);
	return cJSON_AddObjectToObject(json, name);
}

/* A holder that is new says since when, and that it is another one. */
static bool put_holder(cJSON *spec, const struct lease_claim *claim)
{
	const char *before = json_text(spec, "holderIdentity");
	int64_t transitions = json_integer(spec, 0, "leaseTransitions");
	bool is_new = strcmp(before, claim->identity) != 0;

	if (!is_new)
		return true;
	return put_string(spec, "holderIdentity", claim->identity) &&
	       put_time(spec, "acquireTime", &claim->now) &&
	       put_number(spec, "leaseTransitions", transitions + 1);
}

cJSON *lease_claim_json(const struct lease_claim *claim, const cJSON *lease)
{
	cleanup_json cJSON *json = lease ? cJSON_Duplicate(lease, true) : cJSON_CreateObject();
	cJSON *metadata = ensure_object(json, "metadata"), *spec = ensure_object(json, "spec");

	if (!metadata || !spec || !put_string(json, "apiVersion", "coordination.k8s.io/v1") ||
	    !put_string(json, "kind", "Lease") ||
	    !put_string(metadata, "namespace", claim->namespace) ||
	    !put_string(metadata, "name", claim->name) || !put_holder(spec, claim) ||
	    !put_number(spec, "leaseDurationSeconds", claim->duration_ms / SECOND_MS) ||
	    !put_time(spec, "renewTime", &claim->now))
		return NULL;
	return take_pointer(json);
}
