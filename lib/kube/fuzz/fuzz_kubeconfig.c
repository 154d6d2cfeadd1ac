// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Fuzzes the reading of a kubeconfig. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/kube/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_config config = {0};
	struct error error;

	if (kubeconfig_parse((const char *)data, size, "/d", &config, &error) == 0 &&
	    !config.server)
		abort();
	kube_config_free(&config);
	return 0;
}
