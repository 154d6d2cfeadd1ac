// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/options.h"

#include <stdlib.h>

#include "lib/base/options.h"

enum option_name {
	OPTION_KUBECONFIG,
	OPTION_NAMESPACE,
	OPTION_AGENT_SERVICE_ACCOUNT,
	OPTION_AGENT_LISTEN,
	OPTION_API_LISTEN,
	OPTION_HTTP_LISTEN,
	OPTION_LOG_LEVEL,
	OPTION_COUNT,
};

static const struct option_row rows[OPTION_COUNT] = {
	[OPTION_KUBECONFIG] = {"kubeconfig", "FILE", "",
			       "reach the API server as FILE says (without it, as the pod's own "
			       "service account)"},
	[OPTION_NAMESPACE] = {"namespace", "NAME", "",
			      "where the operator lives (POD_NAMESPACE, else skep-system)"},
	[OPTION_AGENT_SERVICE_ACCOUNT] = {"agent-service-account", "NAME", "skep-node-agent",
					  "service account of agents there"},
	[OPTION_AGENT_LISTEN] = {"agent-listen", "[ADDR]:PORT", ":8443",
				 "serve agents here, WebSocket over TLS"},
	[OPTION_API_LISTEN] = {"api-listen", "[ADDR]:PORT", ":8444",
			       "serve /api/v1/edges here, over TLS"},
	[OPTION_HTTP_LISTEN] = {"http-listen", "[ADDR]:PORT", ":8080",
				"address of /healthz, /readyz and /metrics"},
	[OPTION_LOG_LEVEL] = {"log-level", "LEVEL", "info", "debug, info, warn or error"},
};

static const struct option_table table = {
	.intro = "skep-operator: watches ObservabilityPolicies, pods, nodes and Services, tells "
		 "each\n"
		 "node's agent what to attach, writes what became of it into the policies' "
		 "status,\n"
		 "and serves the graph of who talks to whom.\n"
		 "\n"
		 "Usage: skep-operator [--OPTION=VALUE ...]\n",
	.rows = rows,
	.count = OPTION_COUNT,
};

void operator_options_print_help(FILE *out)
{
	options_print_help(&table, out);
}

static const char *default_namespace(void)
{
	const char *name = getenv("POD_NAMESPACE");

	return name && *name ? name : "skep-system";
}

static int take_values(const char *const values[OPTION_COUNT], struct operator_options *options,
		       struct error *error)
{
	int result = option_read_endpoint(&rows[OPTION_AGENT_LISTEN], values[OPTION_AGENT_LISTEN],
					  &options->agent_listen, error);

	if (result == 0)
		result = option_read_endpoint(&rows[OPTION_API_LISTEN], values[OPTION_API_LISTEN],
					      &options->api_listen, error);
	if (result == 0)
		result = option_read_endpoint(&rows[OPTION_HTTP_LISTEN], values[OPTION_HTTP_LISTEN],
					      &options->http_listen, error);
	if (result == 0)
		result = option_read_log_level(&rows[OPTION_LOG_LEVEL], values[OPTION_LOG_LEVEL],
					       &options->log_level, error);
	if (*values[OPTION_KUBECONFIG])
		options->kubeconfig = values[OPTION_KUBECONFIG];
	options->namespace =
		*values[OPTION_NAMESPACE] ? values[OPTION_NAMESPACE] : default_namespace();
	options->agent_service_account = values[OPTION_AGENT_SERVICE_ACCOUNT];
	return result;
}

int operator_options_parse(int argc, char *argv[], struct operator_options *ret_options,
			   struct error *error)
{
	const char *values[OPTION_COUNT];
	struct operator_options options = {0};
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
