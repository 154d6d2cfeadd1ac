// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/peers.h"

#include <errno.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/message.h"

static const char *const kind_names[] = {
	[PEER_UNKNOWN] = "Unknown", [PEER_EXTERNAL] = "External", [PEER_NODE] = "Node",
	[PEER_SERVICE] = "Service", [PEER_POD] = "Pod",
};
#define KIND_NAMES (sizeof(kind_names) / sizeof(kind_names[0]))

const char *peer_kind_name(enum peer_kind kind)
{
	return kind_names[kind];
}

static int decode_addresses(const cJSON *message, const char *name,
			    struct ip_address addresses[LOOKUP_LIMIT], size_t *ret_count,
			    struct error *error)
{
	const cJSON *array = json_find(message, name), *item;
	size_t count = 0;

	if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) > LOOKUP_LIMIT)
		return error_set(error, EINVAL, "%s: must be an array of at most %d", name,
				 LOOKUP_LIMIT);
	cJSON_ArrayForEach(item, array) {
		if (!ip_address_parse(json_string_of(item), &addresses[count++]))
			return error_set(error, EINVAL, "%s: \"%.64s\" is no IP address", name,
					 json_text_of(item));
	}
	*ret_count = count;
	return 0;
}

int lookup_decode(const cJSON *message, struct lookup *ret_lookup, struct error *error)
{
	int result = decode_addresses(message, "addresses", ret_lookup->addresses,
				      &ret_lookup->address_count, error);

	if (result < 0)
		return result;
	return decode_addresses(message, "forget", ret_lookup->forget, &ret_lookup->forget_count,
				error);
}

static bool encode_addresses(cJSON *message, const char *name, const struct ip_address *addresses,
			     size_t count)
{
	cJSON *array = cJSON_AddArrayToObject(message, name);
	char text[IP_ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		const char *address = ip_address_format(&addresses[i], text);

		if (!json_append_item(array, cJSON_CreateString(address)))
			return false;
	}
	return array != NULL;
}

cJSON *lookup_encode(const struct lookup *lookup)
{
	cleanup_json cJSON *message = message_new(MESSAGE_LOOKUP);

	if (!encode_addresses(message, "addresses", lookup->addresses, lookup->address_count) ||
	    !encode_addresses(message, "forget", lookup->forget, lookup->forget_count))
		return NULL;
	return take_pointer(message);
}

static enum peer_kind kind_of(const char *name)
{
	for (size_t i = 0; i < KIND_NAMES; i++)
		if (strcmp(name, kind_names[i]) == 0)
			return (enum peer_kind)i;
	return PEER_UNKNOWN;
}

/* What each kind must be told with. */
static bool is_whole(const struct peer *peer)
{
	if (peer->kind < PEER_NODE)
		return true;
	if (!*peer->name || (peer->kind > PEER_NODE && !*peer->namespace))
		return false;
	return peer->kind != PEER_POD ||
	       (*peer->uid && *peer->workload_kind && *peer->workload_name);
}

static bool is_bounded(const struct peer *peer)
{
	const char *const strings[] = {peer->namespace, peer->name, peer->uid, peer->workload_kind,
				       peer->workload_name};

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (strlen(strings[i]) > PEER_STRING_LIMIT)
			return false;
	return true;
}

int peer_decode(const cJSON *item, struct peer *ret_peer, struct error *error)
{
	struct peer peer = {
		.kind = kind_of(json_text(item, "kind")),
		.namespace = json_text(item, "namespace"),
		.name = json_text(item, "name"),
		.uid = json_text(item, "uid"),
		.workload_kind = json_text(item, "workload", "kind"),
		.workload_name = json_text(item, "workload", "name"),
	};

	if (!ip_address_parse(json_string(item, "address"), &peer.address))
		return error_set(error, EINVAL, "peers: \"%.64s\" is no IP address",
				 json_text(item, "address"));
	if (!is_bounded(&peer))
		return error_set(error, EINVAL, "peers: a name of %s is longer than %d bytes",
				 json_text(item, "address"), PEER_STRING_LIMIT);
	if (!is_whole(&peer))
		return error_set(error, EINVAL, "peers: %s is a %s without all its names",
				 json_text(item, "address"), kind_names[peer.kind]);
	*ret_peer = peer;
	return 0;
}

const cJSON *peers_array(const cJSON *message)
{
	const cJSON *array = json_find(message, "peers");

	return cJSON_IsArray(array) ? array : NULL;
}

/* Adds a member, unless it is empty. */
static bool add_text(cJSON *object, const char *name, const char *value)
{
	return !*value || cJSON_AddStringToObject(object, name, value);
}

static bool add_workload(cJSON *item, const struct peer *peer)
{
	cJSON *workload;

	if (!*peer->workload_kind)
		return true;
	workload = cJSON_AddObjectToObject(item, "workload");
	return cJSON_AddStringToObject(workload, "kind", peer->workload_kind) &&
	       cJSON_AddStringToObject(workload, "name", peer->workload_name);
}

bool peer_encode(cJSON *array, const struct peer *peer)
{
	cJSON *item = json_append_object(array);
	char text[IP_ADDRESS_TEXT_SIZE];

	return cJSON_AddStringToObject(item, "address", ip_address_format(&peer->address, text)) &&
	       cJSON_AddStringToObject(item, "kind", kind_names[peer->kind]) &&
	       add_text(item, "namespace", peer->namespace) && add_text(item, "name", peer->name) &&
	       add_text(item, "uid", peer->uid) && add_workload(item, peer);
}

cJSON *peers_encode(cJSON *peers)
{
	cleanup_json cJSON *message = message_new(MESSAGE_PEERS);

	return json_add_item(message, "peers", peers) ? take_pointer(message) : NULL;
}
