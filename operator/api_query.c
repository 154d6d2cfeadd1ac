// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/api_query.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define NAMESPACE_LIMIT 63 /* bytes of a namespace's name (RFC 1123 label) */

static bool is_namespace(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= NAMESPACE_LIMIT &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

int api_query_namespace(const struct strings *query, const char **ret_namespace,
			struct error *error)
{
	static const char prefix[] = "namespace=";
	const char *namespace = NULL;

	for (size_t i = 0; i < query->count; i++) {
		if (strncmp(query->items[i], prefix, strlen(prefix)) != 0)
			return error_set(error, EINVAL,
					 "\"%.80s\" is not known here; only namespace=NAME is",
					 query->items[i]);
		if (namespace)
			return error_set(error, EINVAL,
					 "namespace stands twice; give one, or none for all that "
					 "you may see");
		namespace = query->items[i] + strlen(prefix);
		if (!is_namespace(namespace))
			return error_set(error, EINVAL,
					 "\"%.80s\" is no name of a namespace: lower-case letters, "
					 "digits and '-', at most %d",
					 namespace, NAMESPACE_LIMIT);
	}
	*ret_namespace = namespace;
	return 0;
}

const char *api_bearer_token(const char *authorization)
{
	static const char scheme[] = "Bearer ";
	const char *token = authorization + strlen(scheme);

	if (strncasecmp(authorization, scheme, strlen(scheme)) != 0)
		return NULL;
	token += strspn(token, " ");
	return *token ? token : NULL;
}
