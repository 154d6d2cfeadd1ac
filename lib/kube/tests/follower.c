// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/tests/follower.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/kube/tests/real_api_server.h"

#define WAIT_SECONDS 60

static void on_upsert(void *context, const cJSON *object)
{
	struct follower *follower = context;

	text_append_format(&follower->told, "+%s=%s ", json_text(object, "metadata", "name"),
			   json_text(object, "data", "v"));
}

static void on_remove(void *context, const char *namespace, const char *name, const char *uid)
{
	struct follower *follower = context;

	assert_string_equal(namespace, "default");
	assert_int_equal(strlen(uid), 36);
	text_append_format(&follower->told, "-%s ", name);
}

static void on_synced(void *context)
{
	struct follower *follower = context;

	text_append_string(&follower->told, "synced ");
}

void follow_with(struct follower *follower, struct kube_client *client,
		 const struct kube_informer_settings *settings)
{
	const struct kube_informer_handlers handlers = {on_upsert, on_remove, on_synced};

	*follower = (struct follower){0};
	assert_int_equal(kube_informer_new_with(client, CONFIG_MAPS, NULL, settings, &handlers,
						follower, &follower->informer, NULL),
			 0);
}

void follow(struct follower *follower, uint32_t page_limit)
{
	struct kube_informer_settings settings = kube_informer_default_settings();

	settings.page_limit = page_limit;
	settings.backoff_most = 1000;
	follow_with(follower, cluster.first.client, &settings);
}

void unfollow(struct follower *follower)
{
	kube_informer_free(follower->informer);
	text_free(&follower->told);
	run_for(1);
}

void await_told(struct follower *follower, const char *text)
{
	for (int i = 0; i < WAIT_SECONDS * 50; i++) {
		if (follower->told.data && strstr(follower->told.data, text)) {
			text_clear(&follower->told);
			return;
		}
		run_for(20);
	}
	fail_msg("\"%s\" was not told, but \"%s\"", text, follower->told.data);
}

void set_config_map(struct kube_client *client, const char *name, const char *value)
{
	char *path = format(CONFIG_MAPS "/%s?fieldManager=test&force=true", name);
	char *json = format("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
			    "\"%s\"},\"data\":{\"v\":\"%s\"}}",
			    name, value);
	struct answer answer = call(client, "PATCH", path, KUBE_APPLY, json);

	assert_int_equal(answer.status / 100, 2);
	answer_free(&answer);
	free(path);
	free(json);
}

void delete_config_map(struct kube_client *client, const char *name)
{
	char *path = format(CONFIG_MAPS "/%s", name);

	must(client, "DELETE", path, NULL, NULL, 200);
	free(path);
}
