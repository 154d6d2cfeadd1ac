// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/in_cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* An IPv6 address stands in brackets in a URL (RFC 3986, 3.2.2). */
static int format_server(const char *host, const char *port, char **ret_server)
{
	const char *format = strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s";

	return asprintf(ret_server, format, host, port) < 0 ? -ENOMEM : 0;
}

static int format_file(const char *directory, const char *name, char **ret_path,
		       struct error *error)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return error_set_errno(error, ENOMEM, "service account files");
	*ret_path = path;
	if (access(path, R_OK) < 0)
		return error_set_errno(error, errno, "service account file \"%s\"", path);
	return 0;
}

int in_cluster_load(const char *host, const char *port, const char *directory,
		    struct kube_config *ret_config, struct error *error)
{
	struct kube_config config = {0};
	int result;

	if (!host || !*host || !port || !*port)
		return error_set(error, ENOENT,
				 "not in a pod (KUBERNETES_SERVICE_HOST or _PORT is not set): "
				 "name a kubeconfig with --kubeconfig");
	result = format_server(host, port, &config.server);
	if (!result)
		result = format_file(directory, "token", &config.token_file, error);
	if (!result)
		result = format_file(directory, "ca.crt", &config.ca_file, error);
	if (result < 0) {
		kube_config_free(&config);
		return result;
	}
	*ret_config = config;
	return 0;
}
