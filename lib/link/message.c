// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/message.h"

#include <errno.h>
#include <string.h>

#include "lib/base/json.h"

static const char *const type_names[] = {
	[MESSAGE_HELLO] = "hello",   [MESSAGE_SNAPSHOT] = "snapshot", [MESSAGE_DELTA] = "delta",
	[MESSAGE_REPORT] = "report", [MESSAGE_LOOKUP] = "lookup",     [MESSAGE_PEERS] = "peers",
	[MESSAGE_EDGES] = "edges",   [MESSAGE_TOKEN] = "token",	      [MESSAGE_NODE] = "node",
};
#define TYPE_NAMES (sizeof(type_names) / sizeof(type_names[0]))

int message_type_decode(const cJSON *message, enum message_type *ret_type, struct error *error)
{
	const char *name = json_text(message, "type");

	for (size_t i = 0; i < TYPE_NAMES; i++) {
		if (strcmp(name, type_names[i]) == 0) {
			*ret_type = (enum message_type)i;
			return 0;
		}
	}
	return error_set(error, EINVAL, "message of unknown type \"%.40s\"", name);
}

cJSON *message_new(enum message_type type)
{
	cJSON *message = cJSON_CreateObject();

	if (cJSON_AddStringToObject(message, "type", type_names[type]))
		return message;
	cJSON_Delete(message);
	return NULL;
}

static int revision_decode(const cJSON *message, const char *name, uint64_t *ret_revision,
			   struct error *error)
{
	int64_t revision = json_integer(message, -1, name);

	if (revision < 0)
		return error_set(error, EINVAL, "%s: must be a whole number from 0", name);
	*ret_revision = (uint64_t)revision;
	return 0;
}

static int version_decode(const cJSON *message, struct selection_version *ret_version,
			  struct error *error)
{
	const char *epoch = json_string(message, "epoch");
	uint64_t revision;
	int result = revision_decode(message, "revision", &revision, error);

	if (result < 0)
		return result;
	if (!epoch)
		return error_set(error, EINVAL, "epoch: must be a string");
	*ret_version = (struct selection_version){.epoch = epoch, .revision = revision};
	return 0;
}

/* A message of `type` with a version; NULL when memory ran out. */
static cJSON *versioned_message(enum message_type type, const struct selection_version *version)
{
	cJSON *message = message_new(type);

	if (!cJSON_AddStringToObject(message, "epoch", version->epoch) ||
	    !cJSON_AddNumberToObject(message, "revision", (double)version->revision)) {
		cJSON_Delete(message);
		return NULL;
	}
	return message;
}

int hello_decode(const cJSON *message, struct hello *ret_hello, struct error *error)
{
	int64_t protocol = json_integer(message, 0, "protocol");
	struct hello hello = {
		.protocol = LINK_PROTOCOL_VERSION,
		.node = json_text(message, "node"),
		.agent_version = json_text(message, "version"),
		.kernel = json_text(message, "kernel"),
	};
	int result = version_decode(message, &hello.applied, error);

	if (result < 0)
		return result;
	if (protocol != LINK_PROTOCOL_VERSION)
		return error_set(
			error, EPROTO,
			"protocol: %lld is not spoken here, only %d; run agent and operator "
			"of one version",
			(long long)protocol, LINK_PROTOCOL_VERSION);
	if (!*hello.node)
		return error_set(error, EINVAL, "node: must be the name of the agent's node");
	*ret_hello = hello;
	return 0;
}

cJSON *hello_encode(const struct hello *hello)
{
	cJSON *message = versioned_message(MESSAGE_HELLO, &hello->applied);

	if (!cJSON_AddNumberToObject(message, "protocol", LINK_PROTOCOL_VERSION) ||
	    !cJSON_AddStringToObject(message, "node", hello->node) ||
	    !cJSON_AddStringToObject(message, "version", hello->agent_version) ||
	    !cJSON_AddStringToObject(message, "kernel", hello->kernel)) {
		cJSON_Delete(message);
		return NULL;
	}
	return message;
}

cJSON *token_encode(const char *token)
{
	cJSON *message = message_new(MESSAGE_TOKEN);

	if (cJSON_AddStringToObject(message, "token", token))
		return message;
	cJSON_Delete(message);
	return NULL;
}

int token_decode(const cJSON *message, const char **ret_token, struct error *error)
{
	const char *token = json_string(message, "token");

	if (!token || !*token || strlen(token) > LINK_TOKEN_LIMIT)
		return error_set(error, EINVAL, "token: must be a token of at most %d bytes",
				 LINK_TOKEN_LIMIT);
	*ret_token = token;
	return 0;
}

cJSON *snapshot_encode(const struct selection_version *version, cJSON *pods)
{
	cJSON *message = versioned_message(MESSAGE_SNAPSHOT, version);

	if (json_add_item(message, "pods", pods))
		return message;
	cJSON_Delete(message);
	return NULL;
}

cJSON *delta_encode(const struct selection_version *version, uint64_t from, cJSON *upsert,
		    cJSON *remove)
{
	cJSON *message = versioned_message(MESSAGE_DELTA, version);
	bool added = json_add_item(message, "upsert", upsert);

	added &= json_add_item(message, "remove", remove);
	if (added && cJSON_AddNumberToObject(message, "from", (double)from))
		return message;
	cJSON_Delete(message);
	return NULL;
}

int selection_change_decode(const cJSON *message, struct selection_change *ret_change,
			    struct error *error)
{
	struct selection_change change = {0};
	enum message_type type;
	int result = message_type_decode(message, &type, error);

	if (result < 0)
		return result;
	change.snapshot = type == MESSAGE_SNAPSHOT;
	if (!change.snapshot && type != MESSAGE_DELTA)
		return error_set(error, EINVAL, "a %s carries no selection", type_names[type]);
	result = version_decode(message, &change.version, error);
	if (result == 0 && !change.snapshot)
		result = revision_decode(message, "from", &change.from, error);
	if (result < 0)
		return result;
	change.upsert = json_find(message, change.snapshot ? "pods" : "upsert");
	change.remove = json_find(message, "remove");
	if (!cJSON_IsArray(change.upsert) || (!change.snapshot && !cJSON_IsArray(change.remove)))
		return error_set(error, EINVAL, "a %s without its arrays", type_names[type]);
	*ret_change = change;
	return 0;
}
