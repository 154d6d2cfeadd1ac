// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/oversized_object.h"

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

cJSON *oversized_object(struct json_stretch beginning)
{
	struct json_stretch metadata = json_span_member(beginning, "metadata");
	cleanup_json cJSON *object = cJSON_CreateObject();
	cJSON *decoded = NULL;

	if (metadata.start)
		decoded = cJSON_ParseWithLength(metadata.start, metadata.length);
	if (!json_add_item(object, "metadata", decoded))
		return NULL;
	return take_pointer(object);
}
