// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/options.h"

#include <errno.h>
#include <string.h>

#include "lib/base/options.h"

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
	OPTION_METRICS_LEVEL,
	OPTION_LOG_LEVEL,
	OPTION_COUNT,
};

static const struct option_row rows[OPTION_COUNT] = {
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
	[OPTION_METRICS_LEVEL] = {"metrics-level", "LEVEL", "workload",
				  "workload: one series for all its pods; or pod"},
	[OPTION_LOG_LEVEL] = {"log-level", "LEVEL", "info", "debug, info, warn or error"},
};

static const struct option_table table = {
	.intro =
		"skep-node-agent: attaches the probes that policies ask for to the pods of this "
		"node.\n"
		"Events go to standard output, one JSON object a line; the log to standard error.\n"
		"\n"
		"Usage: skep-node-agent --OPTION=VALUE ...\n",
	.rows = rows,
	.count = OPTION_COUNT,
};

void agent_options_print_help(FILE *out)
{
	options_print_help(&table, out);
}

static int read_operator(const char *value, struct endpoint *ret_operator, struct error *error)
{
	int result = option_read_endpoint(&rows[OPTION_OPERATOR], value, ret_operator, error);

	if (result == 0 && !*ret_operator->host)
		result = error_set(error, EINVAL, "--operator=%s: the host is missing", value);
	return result;
}

static int read_metrics_level(const char *value, enum series_level *ret_level, struct error *error)
{
	if (strcmp(value, "workload") == 0)
		*ret_level = SERIES_OF_WORKLOADS;
	else if (strcmp(value, "pod") == 0)
		*ret_level = SERIES_OF_PODS;
	else
		return error_set(error, EINVAL, "--metrics-level=%s: must be workload or pod",
				 value);
	return 0;
}

static int take_values(const char *const values[OPTION_COUNT], struct agent_options *options,
		       struct error *error)
{
	int result = read_operator(values[OPTION_OPERATOR], &options->operator, error);

	if (result == 0)
		result = option_read_endpoint(&rows[OPTION_HTTP_LISTEN], values[OPTION_HTTP_LISTEN],
					      &options->http, error);
	if (result == 0)
		result = option_read_log_level(&rows[OPTION_LOG_LEVEL], values[OPTION_LOG_LEVEL],
					       &options->log_level, error);
	if (result == 0)
		result = read_metrics_level(values[OPTION_METRICS_LEVEL], &options->metrics_level,
					    error);
	if (*values[OPTION_OPERATOR_NAME])
		options->operator_name = values[OPTION_OPERATOR_NAME];
	options->node = values[OPTION_NODE];
	options->ca_file = values[OPTION_CA];
	options->token_file = values[OPTION_TOKEN];
	options->state_directory = values[OPTION_STATE_DIR];
	options->cgroup_root = values[OPTION_CGROUP_ROOT];
	options->tracefs = values[OPTION_TRACEFS];
	return result;
}

int agent_options_parse(int argc, char *argv[], struct agent_options *ret_options,
			struct error *error)
{
	const char *values[OPTION_COUNT];
	struct agent_options options = {0};
	enum option_question question;
	int result = options_read(&table, argc, argv, values, &question, error);

	if (result < 0)
		return result;
	options.help = question == OPTION_QUESTION_HELP;
	options.version = question == OPTION_QUESTION_VERSION;
	if (!question)
		result = take_values(values, &options, error);
	if (result == 0)
		*ret_options = options;
	return result;
}
