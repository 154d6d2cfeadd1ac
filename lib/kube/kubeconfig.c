// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/kubeconfig.h"

#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/kube/base64.h"
#include "lib/base/file.h"

/* What a value of the file becomes. */
enum field_form { FIELD_TEXT, FIELD_PATH, FIELD_BASE64 };

struct field {
	const char *name;
	size_t offset;
	enum field_form form;
};

static const struct field cluster_fields[] = {
	{"server", offsetof(struct kube_config, server), FIELD_TEXT},
	{"certificate-authority", offsetof(struct kube_config, ca_file), FIELD_PATH},
	{"certificate-authority-data", offsetof(struct kube_config, ca_data), FIELD_BASE64},
	{0},
};

static const struct field user_fields[] = {
	{"client-certificate", offsetof(struct kube_config, certificate_file), FIELD_PATH},
	{"client-certificate-data", offsetof(struct kube_config, certificate_data), FIELD_BASE64},
	{"client-key", offsetof(struct kube_config, key_file), FIELD_PATH},
	{"client-key-data", offsetof(struct kube_config, key_data), FIELD_BASE64},
	{"token", offsetof(struct kube_config, token), FIELD_TEXT},
	{"tokenFile", offsetof(struct kube_config, token_file), FIELD_PATH},
	{0},
};

/* To ignore these would be to talk to the wrong server, unchecked, or as nobody. */
static const char *const cluster_refused[] = {"insecure-skip-tls-verify", "tls-server-name",
					      "proxy-url", NULL};
static const char *const user_refused[] = {"exec", "auth-provider", "username", "password", "as",
					   NULL};

/* A kubeconfig being read. */
struct reader {
	yaml_document_t document;
	const char *directory;
	struct error *error;
};

/* The member of a mapping, or NULL. */
static yaml_node_t *member(struct reader *reader, const yaml_node_t *mapping, const char *name)
{
	if (!mapping || mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(&reader->document, pair->key);

		if (key && key->type == YAML_SCALAR_NODE &&
		    strcmp((char *)key->data.scalar.value, name) == 0)
			return yaml_document_get_node(&reader->document, pair->value);
	}
	return NULL;
}

/* The text of a member, or NULL where it is not given or empty. */
static const char *member_text(struct reader *reader, const yaml_node_t *mapping, const char *name)
{
	const yaml_node_t *node = member(reader, mapping, name);
	const char *text;

	if (!node || node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)node->data.scalar.value;
	return *text ? text : NULL;
}

/* The mapping `kind` of the entry of `list` that is called `name`: {name: N, <kind>: {...}}. */
static yaml_node_t *named_entry(struct reader *reader, const char *list, const char *kind,
				const char *name)
{
	yaml_node_t *root = yaml_document_get_root_node(&reader->document);
	yaml_node_t *entries = member(reader, root, list);

	if (!entries || entries->type != YAML_SEQUENCE_NODE)
		return NULL;
	for (yaml_node_item_t *item = entries->data.sequence.items.start;
	     item < entries->data.sequence.items.top; item++) {
		yaml_node_t *entry = yaml_document_get_node(&reader->document, *item);
		const char *entry_name = member_text(reader, entry, "name");

		if (entry_name && strcmp(entry_name, name) == 0)
			return member(reader, entry, kind);
	}
	return NULL;
}

static char *absolute_path(const char *directory, const char *path)
{
	char *absolute;

	if (*path == '/')
		return strdup(path);
	return asprintf(&absolute, "%s/%s", directory, path) < 0 ? NULL : absolute;
}

static int field_value(struct reader *reader, const struct field *field, const char *text,
		       char **ret_value)
{
	if (field->form == FIELD_BASE64)
		return base64_decode_text(text, ret_value);
	*ret_value =
		field->form == FIELD_PATH ? absolute_path(reader->directory, text) : strdup(text);
	return *ret_value ? 0 : -ENOMEM;
}

static int read_fields(struct reader *reader, const yaml_node_t *mapping,
		       const struct field *fields, struct kube_config *config)
{
	for (const struct field *field = fields; field->name; field++) {
		char **value = (char **)((char *)config + field->offset);
		const char *text = member_text(reader, mapping, field->name);
		int result = text ? field_value(reader, field, text, value) : 0;

		if (result < 0)
			return error_set_errno(reader->error, -result, "field \"%s\"%s",
					       field->name,
					       result == -EINVAL ? " is no base64 of a text" : "");
	}
	return 0;
}

static bool is_given(struct reader *reader, const yaml_node_t *mapping, const char *name)
{
	const yaml_node_t *node = member(reader, mapping, name);
	const char *text = member_text(reader, mapping, name);

	if (!node || (node->type == YAML_SCALAR_NODE && !text))
		return false;
	return !text || (strcmp(text, "false") != 0 && strcmp(text, "null") != 0);
}

static int refuse_fields(struct reader *reader, const yaml_node_t *mapping,
			 const char *const *names)
{
	for (; *names; names++)
		if (is_given(reader, mapping, *names))
			return error_set(reader->error, ENOTSUP,
					 "field \"%s\" is not supported: use a certificate "
					 "authority and a token or client certificate",
					 *names);
	return 0;
}

/* Reads the entry that the current context names in `list` ("clusters", "users"). */
static int read_entry(struct reader *reader, const yaml_node_t *context, const char *kind,
		      const struct field *fields, const char *const *refused,
		      struct kube_config *config)
{
	const char *name = member_text(reader, context, kind);
	const yaml_node_t *entry;
	char list[16];
	int result;

	if (!name)
		return error_set(reader->error, EINVAL, "the current context names no %s", kind);
	snprintf(list, sizeof(list), "%ss", kind);
	entry = named_entry(reader, list, kind, name);
	if (!entry)
		return error_set(reader->error, EINVAL, "%s \"%s\" is not in %s", kind, name, list);
	result = refuse_fields(reader, entry, refused);
	if (!result)
		result = read_fields(reader, entry, fields, config);
	return error_wrap(reader->error, result, "%s \"%s\"", kind, name);
}

/* Checks the server's URL and takes the slashes off its end. */
static int normalize_server(char *server, struct error *error)
{
	size_t length;

	if (!server)
		return error_set(error, EINVAL, "the cluster has no server");
	if (strncmp(server, "https://", 8) != 0 && strncmp(server, "http://", 7) != 0)
		return error_set(error, EINVAL, "server \"%s\" is no URL: begin it with https://",
				 server);
	for (length = strlen(server); length && server[length - 1] == '/'; length--)
		server[length - 1] = '\0';
	return 0;
}

static int read_config(struct reader *reader, struct kube_config *config)
{
	yaml_node_t *root = yaml_document_get_root_node(&reader->document);
	const char *name = member_text(reader, root, "current-context");
	const yaml_node_t *context;
	int result;

	if (!name)
		return error_set(reader->error, EINVAL,
				 "no current-context: choose one with kubectl config use-context");
	context = named_entry(reader, "contexts", "context", name);
	if (!context)
		return error_set(reader->error, EINVAL, "context \"%s\" is not in contexts", name);
	result = read_entry(reader, context, "cluster", cluster_fields, cluster_refused, config);
	if (!result)
		result = read_entry(reader, context, "user", user_fields, user_refused, config);
	return result ? result : normalize_server(config->server, reader->error);
}

static int load_document(const char *text, size_t length, yaml_document_t *ret_document,
			 struct error *error)
{
	yaml_parser_t parser;
	int result = 0;

	if (!yaml_parser_initialize(&parser))
		return error_set_errno(error, ENOMEM, "YAML parser");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	if (!yaml_parser_load(&parser, ret_document))
		result = error_set(error, EINVAL, "line %zu is no YAML: %s",
				   parser.problem_mark.line + 1,
				   parser.problem ? parser.problem : "out of memory");
	yaml_parser_delete(&parser);
	return result;
}

int kubeconfig_parse(const char *text, size_t length, const char *directory,
		     struct kube_config *ret_config, struct error *error)
{
	struct reader reader = {.directory = directory, .error = error};
	struct kube_config config = {0};
	int result = load_document(text, length, &reader.document, error);

	if (result < 0)
		return result;
	result = read_config(&reader, &config);
	yaml_document_delete(&reader.document);
	if (result < 0) {
		kube_config_free(&config);
		return result;
	}
	*ret_config = config;
	return 0;
}

int kubeconfig_load(const char *path, struct kube_config *ret_config, struct error *error)
{
	cleanup_text struct text contents = TEXT_EMPTY;
	cleanup_free char *copy = NULL;
	int result = file_read(path, KUBECONFIG_SIZE_LIMIT, &contents, error);

	if (result < 0)
		return result;
	copy = strdup(path);
	if (!copy)
		return error_set_errno(error, ENOMEM, "kubeconfig \"%s\"", path);
	result = kubeconfig_parse(contents.data ? contents.data : "", contents.length,
				  dirname(copy), ret_config, error);
	return error_wrap(error, result, "kubeconfig \"%s\"", path);
}
