// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kube/in_cluster.h"
#include "lib/kube/kubeconfig.h"

static const size_t string_offsets[] = {
	offsetof(struct kube_config, server),
	offsetof(struct kube_config, ca_file),
	offsetof(struct kube_config, ca_data),
	offsetof(struct kube_config, certificate_file),
	offsetof(struct kube_config, certificate_data),
	offsetof(struct kube_config, key_file),
	offsetof(struct kube_config, key_data),
	offsetof(struct kube_config, token),
	offsetof(struct kube_config, token_file),
};

#define STRING_COUNT (sizeof(string_offsets) / sizeof(string_offsets[0]))
_Static_assert(STRING_COUNT * sizeof(char *) == sizeof(struct kube_config), "a string is missing");

static char **config_string(const struct kube_config *config, size_t index)
{
	return (char **)((char *)config + string_offsets[index]);
}

int kube_config_load(const char *path, struct kube_config *ret_config, struct error *error)
{
	if (path)
		return kubeconfig_load(path, ret_config, error);
	return in_cluster_load(getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT"),
			       IN_CLUSTER_DIRECTORY, ret_config, error);
}

int kube_config_copy(const struct kube_config *config, struct kube_config *ret_copy)
{
	struct kube_config copy = {0};

	for (size_t i = 0; i < STRING_COUNT; i++) {
		const char *from = *config_string(config, i);
		char **to = config_string(&copy, i);

		*to = from ? strdup(from) : NULL;
		if (from && !*to) {
			kube_config_free(&copy);
			return -ENOMEM;
		}
	}
	*ret_copy = copy;
	return 0;
}

void kube_config_free(struct kube_config *config)
{
	for (size_t i = 0; i < STRING_COUNT; i++)
		free(*config_string(config, i));
	*config = (struct kube_config){0};
}
