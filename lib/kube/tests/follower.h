/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* An informer of the config maps of a real API server, for tests, and what it told. */
#ifndef SKEP_LIB_KUBE_TESTS_FOLLOWER_H
#define SKEP_LIB_KUBE_TESTS_FOLLOWER_H

#include "lib/base/text.h"
#include "lib/kube/informer_settings.h"

struct follower {
	struct kube_informer *informer;
	struct text told; /* "+name=value ", "-name ", "synced " */
};

/* Follows at the first server, with lists in pages of so many. */
void follow(struct follower *follower, uint32_t page_limit);

void follow_with(struct follower *follower, struct kube_client *client,
		 const struct kube_informer_settings *settings);

void unfollow(struct follower *follower);

/* Waits until `text` has been told, and forgets what was told up to then. */
void await_told(struct follower *follower, const char *text);

void set_config_map(struct kube_client *client, const char *name, const char *value);
void delete_config_map(struct kube_client *client, const char *name);

#endif
