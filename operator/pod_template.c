// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/pod_template.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"

static void append_with_end(struct text *text, const char *string, size_t length)
{
	text_append(text, string, length);
	text_append(text, "", 1);
}

/* The key: two counts, so that no text can be taken for another, and the texts. */
static struct text make_key(const struct pod_template_parts *parts)
{
	const uint32_t counts[2] = {parts->container_count, (uint32_t)parts->labels->count};
	struct text key = TEXT_EMPTY;

	text_append(&key, (const char *)counts, sizeof(counts));
	append_with_end(&key, parts->namespace, strlen(parts->namespace));
	append_with_end(&key, parts->workload_kind, strlen(parts->workload_kind));
	append_with_end(&key, parts->workload_name, parts->workload_name_length);
	for (uint8_t i = 0; i < parts->container_count; i++)
		append_with_end(&key, parts->container_names[i], strlen(parts->container_names[i]));
	for (size_t i = 0; i < parts->labels->count; i++) {
		const struct label *label = &parts->labels->items[i];

		append_with_end(&key, label->key, strlen(label->key));
		append_with_end(&key, label->value, strlen(label->value));
	}
	return key;
}

/* The text at *at, which goes on to the next one. */
static char *next_text(char **at)
{
	char *text = *at;

	*at += strlen(text) + 1;
	return text;
}

/* Lets the members point into the key; the arrays lie behind it. */
static void set_members(struct pod_template *template, void *arrays)
{
	char *at = template->key + 2 * sizeof(uint32_t);

	template->namespace = next_text(&at);
	template->workload_kind = next_text(&at);
	template->workload_name = next_text(&at);
	template->labels.items = arrays;
	template->container_names =
		(const char **)(template->labels.items + template->labels.count);
	for (uint8_t i = 0; i < template->container_count; i++)
		template->container_names[i] = next_text(&at);
	for (size_t i = 0; i < template->labels.count; i++) {
		template->labels.items[i].key = next_text(&at);
		template->labels.items[i].value = next_text(&at);
	}
}

static size_t round_up(size_t size)
{
	const size_t unit = sizeof(void *);

	return (size + unit - 1) / unit * unit;
}

struct pod_template *pod_template_new(const struct pod_template_parts *parts)
{
	struct text key = make_key(parts);
	size_t arrays = round_up(sizeof(struct pod_template) + key.length);
	struct pod_template *template = NULL;

	if (!key.failed)
		template = calloc(1, arrays + parts->labels->count * sizeof(struct label) +
					     parts->container_count * sizeof(char *));
	if (template) {
		template->holders = 1;
		template->container_count = parts->container_count;
		template->labels.count = parts->labels->count;
		template->key_size = key.length;
		memcpy(template->key, key.data, key.length);
		set_members(template, (char *)template + arrays);
	}
	text_free(&key);
	return template;
}

struct pod_template *pod_template_share(struct pod_template **table, struct pod_template *own)
{
	struct pod_template *known;

	if (own->table)
		return own;
	HASH_FIND(hh, *table, own->key, own->key_size, known);
	if (known) {
		known->holders++;
		pod_template_release(own);
		return known;
	}
	HASH_ADD_KEYPTR(hh, *table, own->key, own->key_size, own);
	if (is_in_table(own)) /* else it is shared by nobody */
		own->table = table;
	return own;
}

struct pod_template *pod_template_release(struct pod_template *held)
{
	if (!held || --held->holders)
		return NULL;
	if (held->table)
		HASH_DEL(*held->table, held);
	free(held);
	return NULL;
}
