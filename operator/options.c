// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/base/options.h"

#define TIME_LEAST_MS	 100
#define LEASE_LONGEST_MS 600000

enum option_name {
	OPTION_KUBECONFIG,
	OPTION_NAMESPACE,
	OPTION_AGENT_SERVICE_ACCOUNT,
	OPTION_AGENT_LISTEN,
	OPTION_API_LISTEN,
	OPTION_HTTP_LISTEN,
	OPTION_TLS_CERTIFICATE,
	OPTION_TLS_KEY,
	OPTION_TLS_CA,
	OPTION_TLS_LIFETIME,
	OPTION_LEADER_ELECT,
	OPTION_LEASE_DURATION,
	OPTION_LEASE_DEADLINE,
	OPTION_LEASE_RETRY,
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
	[OPTION_TLS_CERTIFICATE] = {"tls-certificate", "FILE", "",
				    "serve with this certificate (PEM, read again when it changes; "
				    "without it, the operator makes its own)"},
	[OPTION_TLS_KEY] = {"tls-key", "FILE", "", "its key (PEM)"},
	[OPTION_TLS_CA] = {"tls-ca", "FILE", "",
			   "the CA (PEM) to publish for agents with it (without: they know it "
			   "otherwise)"},
	[OPTION_TLS_LIFETIME] = {"tls-certificate-lifetime", "TIME", "8760h",
				 "how long certificates hold that the operator makes (30s to "
				 "8760h)"},
	[OPTION_LEADER_ELECT] = {"leader-elect", "BOOL", "true",
				 "of several operators, one works: the one that holds the Lease "
				 "skep-operator"},
	[OPTION_LEASE_DURATION] = {"lease-duration", "TIME", "15s",
				   "how long the others wait for a leader that is silent (2s to "
				   "10m)"},
	[OPTION_LEASE_DEADLINE] = {"lease-renew-deadline", "TIME", "10s",
				   "how long a leader goes on that cannot renew its Lease"},
	[OPTION_LEASE_RETRY] = {"lease-retry", "TIME", "2s",
				"how often the Lease is renewed, or looked at"},
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

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static int read_bool(const struct option_row *row, const char *value, bool *ret_value,
		     struct error *error)
{
	*ret_value = strcmp(value, "true") == 0;
	if (*ret_value || strcmp(value, "false") == 0)
		return 0;
	return error_set(error, EINVAL, "--%s=%s: must be true or false", row->name, value);
}

static int read_time(const struct option_row *row, const char *value, uint32_t *ret_ms,
		     struct error *error)
{
	uint64_t ns = 0;
	int result = duration_parse(value, &ns, error);

	if (result < 0)
		return error_wrap(error, -EINVAL, "--%s", row->name);
	if (ns < TIME_LEAST_MS * DURATION_MILLISECOND ||
	    ns > LEASE_LONGEST_MS * DURATION_MILLISECOND)
		return error_set(error, EINVAL, "--%s=%s: must be from 100ms to 10m", row->name,
				 value);
	*ret_ms = (uint32_t)(ns / DURATION_MILLISECOND);
	return 0;
}

/* A leader must have given up before the others begin, and have tried more than once. */
static int check_lease(const struct operator_options *options, struct error *error)
{
	if (options->lease_duration_ms % 1000 || options->lease_duration_ms < 2000)
		return error_set(error, EINVAL,
				 "--lease-duration: must be whole seconds, 2s or more");
	if (options->lease_deadline_ms >= options->lease_duration_ms)
		return error_set(error, EINVAL,
				 "--lease-renew-deadline: must be less than --lease-duration");
	if (options->lease_retry_ms * 2 > options->lease_deadline_ms)
		return error_set(error, EINVAL,
				 "--lease-retry: must be at most half of --lease-renew-deadline");
	return 0;
}

static int take_lease_values(const char *const values[OPTION_COUNT],
			     struct operator_options *options, struct error *error)
{
	int result = read_bool(&rows[OPTION_LEADER_ELECT], values[OPTION_LEADER_ELECT],
			       &options->leader_elect, error);

	if (result == 0)
		result = read_time(&rows[OPTION_LEASE_DURATION], values[OPTION_LEASE_DURATION],
				   &options->lease_duration_ms, error);
	if (result == 0)
		result = read_time(&rows[OPTION_LEASE_DEADLINE], values[OPTION_LEASE_DEADLINE],
				   &options->lease_deadline_ms, error);
	if (result == 0)
		result = read_time(&rows[OPTION_LEASE_RETRY], values[OPTION_LEASE_RETRY],
				   &options->lease_retry_ms, error);
	return result < 0 ? result : check_lease(options, error);
}

static int take_tls_values(const char *const values[OPTION_COUNT], struct operator_options *options,
			   struct error *error)
{
	const char *life = values[OPTION_TLS_LIFETIME];
	uint64_t ns = 0;
	int result = duration_parse(life, &ns, error);

	if (result < 0)
		return error_wrap(error, -EINVAL, "--tls-certificate-lifetime");
	if (ns < 30 * DURATION_SECOND || ns > 365 * 24 * DURATION_HOUR)
		return error_set(error, EINVAL,
				 "--tls-certificate-lifetime=%s: must be from 30s to 8760h", life);
	options->tls_life = (time_t)(ns / DURATION_SECOND);
	options->tls_certificate = values[OPTION_TLS_CERTIFICATE];
	options->tls_key = values[OPTION_TLS_KEY];
	options->tls_ca = values[OPTION_TLS_CA];
	if (!*options->tls_certificate != !*options->tls_key ||
	    (*options->tls_ca && !*options->tls_certificate))
		return error_set(error, EINVAL,
				 "--tls-certificate and --tls-key belong together, and --tls-ca "
				 "to both");
	return 0;
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
	if (result == 0)
		result = take_lease_values(values, options, error);
	if (result == 0)
		result = take_tls_values(values, options, error);
	options->pod = environment("POD_NAME");
	options->pod_uid = environment("POD_UID");
	options->pod_address = environment("POD_IP");
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
