// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/ca_config_map.h"

#include <errno.h>
#include <stdio.h>

#include "lib/base/cleanup.h"

int ca_config_map_publish(struct kube_client *client, const char *namespace, const char *trusted,
			  kube_response_handler handler, void *context, struct error *error)
{
	cleanup_json cJSON *map = cJSON_CreateObject();
	cJSON *metadata = cJSON_AddObjectToObject(map, "metadata");
	cJSON *labels = cJSON_AddObjectToObject(metadata, "labels");
	cJSON *data = cJSON_AddObjectToObject(map, "data");
	char path[512];

	if (!cJSON_AddStringToObject(map, "apiVersion", "v1") ||
	    !cJSON_AddStringToObject(map, "kind", "ConfigMap") ||
	    !cJSON_AddStringToObject(metadata, "name", CA_CONFIG_MAP_NAME) ||
	    !cJSON_AddStringToObject(labels, "app.kubernetes.io/name", "skep") ||
	    !cJSON_AddStringToObject(data, "ca.crt", trusted))
		return error_set(error, ENOMEM, "out of memory");
	snprintf(path, sizeof(path),
		 "/api/v1/namespaces/%s/configmaps/" CA_CONFIG_MAP_NAME
		 "?fieldManager=skep-operator&force=true",
		 namespace);
	return kube_request(client, "PATCH", path, KUBE_APPLY, map, handler, context, error);
}
