// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/oversized_object.h"

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

cJSON *oversized_object(struct json_stretch beginning)
{
	cleanup_json cJSON *object = cJSON_CreateObject();
	struct json_stretch metadata;
	cJSON *decoded = NULL;

	json_span_blank_managed(beginning);
	metadata = json_span_member(beginning, "metadata");
	if (metadata.start)
		decoded = cJSON_ParseWithLength(metadata.start, metadata.length);
	if (!json_add_item(object, "metadata", decoded))
		return NULL;
	return take_pointer(object);
}
