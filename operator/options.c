// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char operator_usage[] =
	"Usage: skep-operator [OPTION]...\n"
	"Watches ObservabilityPolicies, pods and nodes, tells each node's agent what to attach,\n"
	"and writes what became of it into the policies' status.\n"
	"\n"
	"  --kubeconfig=FILE             reach the API server as FILE says; without it, as the\n"
	"                                pod's own service account\n"
	"  --namespace=NAME              where the operator lives (POD_NAMESPACE, else "
	"skep-system)\n"
	"  --agent-service-account=NAME  service account of agents there (skep-node-agent)\n"
	"  --agent-listen=[ADDR]:PORT    serve agents here, WebSocket over TLS (:8443)\n"
	"  --http-listen=[ADDR]:PORT     serve /healthz, /readyz and /metrics here (:8080)\n"
	"  --log-level=LEVEL             debug, info, warn or error (info)\n"
	"  --help, --version\n";

enum option_id {
	OPTION_KUBECONFIG = 1,
	OPTION_NAMESPACE,
	OPTION_AGENT_SERVICE_ACCOUNT,
	OPTION_AGENT_LISTEN,
	OPTION_HTTP_LISTEN,
	OPTION_LOG_LEVEL,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option names[] = {
	{"kubeconfig", required_argument, NULL, OPTION_KUBECONFIG},
	{"namespace", required_argument, NULL, OPTION_NAMESPACE},
	{"agent-service-account", required_argument, NULL, OPTION_AGENT_SERVICE_ACCOUNT},
	{"agent-listen", required_argument, NULL, OPTION_AGENT_LISTEN},
	{"http-listen", required_argument, NULL, OPTION_HTTP_LISTEN},
	{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static int set_option(struct operator_options *options, int option, const char *value,
		      struct error *error)
{
	switch (option) {
	case OPTION_KUBECONFIG:
		options->kubeconfig = value;
		return 0;
	case OPTION_NAMESPACE:
		options->namespace = value;
		return 0;
	case OPTION_AGENT_SERVICE_ACCOUNT:
		options->agent_service_account = value;
		return 0;
	case OPTION_AGENT_LISTEN:
		return endpoint_parse(value, &options->agent_listen, error);
	case OPTION_HTTP_LISTEN:
		return endpoint_parse(value, &options->http_listen, error);
	case OPTION_LOG_LEVEL:
		return log_level_parse(value, &options->log_level, error);
	case OPTION_HELP:
		options->help = true;
		return 0;
	default:
		options->version = true;
		return 0;
	}
}

static int parse_one(struct operator_options *options, int option, char *argv[],
		     struct error *error)
{
	int result;

	if (option == '?' && optopt >= ' ')
		return error_set(error, EINVAL, "-%c is not known", optopt);
	if (option == '?')
		return error_set(error, EINVAL, "%s is not known", argv[optind - 1]);
	if (option == ':')
		return error_set(error, EINVAL, "%s needs a value", argv[optind - 1]);
	result = set_option(options, option, optarg, error);
	return result < 0 ? error_wrap(error, result, "--%s", names[option - 1].name) : 0;
}

int operator_options_parse(int argc, char *argv[], struct operator_options *ret_options,
			   struct error *error)
{
	const char *namespace = getenv("POD_NAMESPACE");
	struct operator_options options = {
		.namespace = namespace && *namespace ? namespace : "skep-system",
		.agent_service_account = "skep-node-agent",
		.agent_listen = {.port = 8443},
		.http_listen = {.port = 8080},
		.log_level = LOG_LEVEL_INFO,
	};
	int option;

	optind = 0; /* getopt_long(3): starts anew */
	while ((option = getopt_long(argc, argv, ":", names, NULL)) != -1) {
		int result = parse_one(&options, option, argv, error);

		if (result < 0)
			return result;
	}
	if (optind < argc)
		return error_set(error, EINVAL, "\"%s\" is no option", argv[optind]);
	*ret_options = options;
	return 0;
}
