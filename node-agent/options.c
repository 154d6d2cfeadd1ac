// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum option_name {
	OPTION_OPERATOR,
	OPTION_OPERATOR_NAME,
	OPTION_NODE,
	OPTION_CA,
	OPTION_TOKEN,
	OPTION_STATE_DIR,
	OPTION_CGROUP_ROOT,
	OPTION_TRACEFS,
	OPTION_HTTP_LISTEN,
	OPTION_LOG_LEVEL,
	OPTION_COUNT,
};

static const struct option_row {
	const char *name;
	const char *value;
	const char *otherwise; /* NULL: must be given */
	const char *help;
} rows[OPTION_COUNT] = {
	[OPTION_OPERATOR] = {"operator", "HOST:PORT", NULL, "the operator to dial"},
	[OPTION_OPERATOR_NAME] = {"operator-name", "NAME", "",
				  "name in the operator's certificate (HOST)"},
	[OPTION_NODE] = {"node", "NAME", NULL, "name of this node in Kubernetes"},
	[OPTION_CA] = {"ca", "FILE", NULL, "PEM certificate that signed the operator's"},
	[OPTION_TOKEN] = {"token", "FILE", NULL, "service account token to show the operator"},
	[OPTION_STATE_DIR] = {"state-dir", "DIR", "/var/lib/skep",
			      "where the last selection is kept"},
	[OPTION_CGROUP_ROOT] = {"cgroup-root", "DIR", "/sys/fs/cgroup",
				"the node's cgroup v2 hierarchy, or the folder of its \"unified\""},
	[OPTION_TRACEFS] = {"tracefs", "DIR", "/sys/kernel/tracing", "where tracefs is mounted"},
	[OPTION_HTTP_LISTEN] = {"http-listen", "[ADDR]:PORT", ":9810",
				"address of /metrics and /healthz"},
	[OPTION_LOG_LEVEL] = {"log-level", "LEVEL", "info", "debug, info, warn or error"},
};

void agent_options_print_help(FILE *out)
{
	fputs("skep-node-agent: attaches the probes that policies ask for to the pods of this "
	      "node.\n\nUsage: skep-node-agent --OPTION=VALUE ...\n\n",
	      out);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		fprintf(out, "  --%s=%s\n        %s", rows[i].name, rows[i].value, rows[i].help);
		if (!rows[i].otherwise)
			fputs("; must be given", out);
		else if (*rows[i].otherwise)
			fprintf(out, " (%s)", rows[i].otherwise);
		fputc('\n', out);
	}
	fputs("  --help\n        this text\n  --version\n        the version\n\n"
	      "Events go to standard output, one JSON object a line; the log to standard error.\n",
	      out);
}

/* Finds the row of "--name=value" or "--name", and the value in the word itself, if any. */
static int find_row(const char *word, const char **ret_value)
{
	const char *name = word + 2;
	size_t length = strcspn(name, "=");

	if (strncmp(word, "--", 2) != 0)
		return -1;
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (strlen(rows[i].name) != length || strncmp(rows[i].name, name, length) != 0)
			continue;
		*ret_value = name[length] ? name + length + 1 : NULL;
		return i;
	}
	return -1;
}

/* Notes --help and --version. */
static bool take_question(const char *word, struct agent_options *options)
{
	options->help |= strcmp(word, "--help") == 0;
	options->version |= strcmp(word, "--version") == 0;
	return options->help || options->version;
}

static int read_values(int argc, char *argv[], const char *values[OPTION_COUNT],
		       struct agent_options *options, struct error *error)
{
	for (int i = 1; i < argc; i++) {
		const char *value = NULL;
		int row = find_row(argv[i], &value);

		if (take_question(argv[i], options))
			return 0;
		if (row < 0)
			return error_set(error, EINVAL, "%s is no option; see --help", argv[i]);
		if (!value && i + 1 < argc)
			value = argv[++i];
		if (!value || !*value)
			return error_set(error, EINVAL, "--%s needs a value: --%s=%s",
					 rows[row].name, rows[row].name, rows[row].value);
		values[row] = value;
	}
	return 0;
}

static int complete_values(const char *values[OPTION_COUNT], struct error *error)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!values[i] && !rows[i].otherwise)
			return error_set(error, EINVAL, "--%s=%s must be given; see --help",
					 rows[i].name, rows[i].value);
		if (!values[i])
			values[i] = rows[i].otherwise;
	}
	return 0;
}

static int take_endpoint(enum option_name option, const char *given, struct endpoint *endpoint,
			 struct error *error)
{
	int result = endpoint_parse(given, endpoint, error);

	return result < 0 ? error_wrap(error, result, "--%s", rows[option].name) : 0;
}

static int take_values(const char *const values[OPTION_COUNT], struct agent_options *options,
		       struct error *error)
{
	int result =
		take_endpoint(OPTION_OPERATOR, values[OPTION_OPERATOR], &options->operator, error);

	if (result == 0 && !*options->operator.host)
		result = error_set(error, EINVAL, "--operator=%s: the host is missing",
				   values[OPTION_OPERATOR]);
	if (result == 0)
		result = take_endpoint(OPTION_HTTP_LISTEN, values[OPTION_HTTP_LISTEN],
				       &options->http, error);
	if (result == 0)
		result = log_level_parse(values[OPTION_LOG_LEVEL], &options->log_level, error);
	if (result < 0)
		return result;
	if (values[OPTION_OPERATOR_NAME] && *values[OPTION_OPERATOR_NAME])
		options->operator_name = values[OPTION_OPERATOR_NAME];
	options->node = values[OPTION_NODE];
	options->ca_file = values[OPTION_CA];
	options->token_file = values[OPTION_TOKEN];
	options->state_directory = values[OPTION_STATE_DIR];
	options->cgroup_root = values[OPTION_CGROUP_ROOT];
	options->tracefs = values[OPTION_TRACEFS];
	return 0;
}

int agent_options_parse(int argc, char *argv[], struct agent_options *ret_options,
			struct error *error)
{
	const char *values[OPTION_COUNT] = {0};
	struct agent_options options = {0};
	int result = read_values(argc, argv, values, &options, error);

	if (result == 0 && !options.help && !options.version) {
		result = complete_values(values, error);
		if (result == 0)
			result = take_values(values, &options, error);
	}
	if (result == 0)
		*ret_options = options;
	return result;
}
