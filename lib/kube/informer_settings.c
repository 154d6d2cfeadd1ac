// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/informer_settings.h"

#include <stddef.h>

#include <uv.h>

static uint32_t kernel_random(void *context)
{
	uint32_t number = 0;

	(void)context; /* none */
	/* Should the kernel refuse, the waits lack their jitter, which is no reason to fail. */
	(void)uv_random(NULL, NULL, &number, sizeof(number), 0, NULL);
	return number;
}

struct kube_informer_settings kube_informer_default_settings(void)
{
	return (struct kube_informer_settings){
		.page_limit = 500,
		.backoff_least = 100,
		.backoff_most = 10000,
		.watch_least_seconds = 300,
		.watch_most_seconds = 600,
		.watch_margin = 30000,
		.page_seconds = 60,
		.sound_after = 10000,
		.object_limit = KUBE_OBJECT_LIMIT,
		.random = kernel_random,
	};
}
