// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/collection_path.h"

#include <curl/curl.h>

#include "lib/base/text.h"

static void append_encoded(struct text *text, const char *name, const char *value)
{
	char *encoded = curl_easy_escape(NULL, value, 0);

	if (encoded)
		text_append_format(text, "&%s=%s", name, encoded);
	else
		text->failed = true;
	curl_free(encoded);
}

/* Appends the caller's parameters and hands the text's memory on. */
static char *finish(struct text *text, const char *query)
{
	if (query)
		text_append_format(text, "&%s", query);
	if (text->failed)
		text_free(text);
	return text->data;
}

char *collection_list_path(const char *path, const char *query, unsigned int limit,
			   const char *token)
{
	struct text text = TEXT_EMPTY;

	text_append_format(&text, "%s?limit=%u", path, limit);
	if (token)
		append_encoded(&text, "continue", token);
	return finish(&text, query);
}

char *collection_watch_path(const char *path, const char *query, const char *resource_version,
			    unsigned int timeout_seconds)
{
	struct text text = TEXT_EMPTY;

	text_append_format(&text, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u", path,
			   timeout_seconds);
	append_encoded(&text, "resourceVersion", resource_version);
	return finish(&text, query);
}
