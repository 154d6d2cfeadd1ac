// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Wires the operator: options, loop, API client, controller, HTTP. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <uv.h>

#include "lib/base/log.h"
#include "lib/http/server.h"
#include "lib/kube/client.h"
#include "lib/kube/config.h"
#include "lib/link/server.h"
#include "lib/metrics/exposition.h"
#include "lib/metrics/process.h"
#include "lib/net/context.h"
#include "operator/controller.h"
#include "operator/options.h"

#define DESCRIPTORS_LIMIT (LINK_CONNECTION_LIMIT + 1024) /* agents, and all else */
#define RETIRE_MS	  2000 /* for the API server to hear that the lead is free */

struct daemon {
	uv_loop_t loop;
	uv_signal_t signals[2];
	uv_timer_t ending; /* runs from the signal on */
	struct net_context *net;
	struct kube_client *client;
	struct controller *controller;
	struct http_server *http;
};

static int respond_healthy(void *context, struct text *body)
{
	(void)context;
	text_append_string(body, "ok\n");
	return 200;
}

static int respond_ready(void *context, struct text *body)
{
	const struct daemon *daemon = context;
	bool ready = controller_is_ready(daemon->controller);

	text_append_string(body, ready ? "ok\n" : "the cluster's objects are still being read\n");
	return ready ? 200 : 503;
}

static int respond_metrics(void *context, struct text *body)
{
	const struct daemon *daemon = context;

	controller_collect(daemon->controller, body);
	process_metrics_write(body);
	return 200;
}

static int connect_api(struct daemon *daemon, const struct operator_options *options,
		       struct error *error)
{
	struct kube_config config;
	int result = kube_config_load(options->kubeconfig, &config, error);

	if (result < 0)
		return result;
	log_info("API server %s, namespace %s", config.server, options->namespace);
	result = kube_client_new(&daemon->loop, &config, &daemon->client, error);
	kube_config_free(&config);
	return result;
}

static int start_controller(struct daemon *daemon, const struct operator_options *options,
			    struct error *error)
{
	struct controller_settings settings = {
		.namespace = options->namespace,
		.agents = {.address = options->agent_listen.host,
			   .port = options->agent_listen.port,
			   .times = agents_times},
		.api = {.address = options->api_listen.host, .port = options->api_listen.port},
		.leader = {.namespace = options->namespace,
			   .elect = options->leader_elect,
			   .pod = options->pod,
			   .pod_uid = options->pod_uid,
			   .address = options->pod_address,
			   .agents_port = options->agent_listen.port,
			   .api_port = options->api_listen.port,
			   .duration_ms = options->lease_duration_ms,
			   .deadline_ms = options->lease_deadline_ms,
			   .retry_ms = options->lease_retry_ms},
		.lives = pki_lives,
		.certificate_paths = {.certificate = options->tls_certificate,
				      .key = options->tls_key,
				      .ca = options->tls_ca},
	};
	char service_account[512];

	settings.lives.certificate = options->tls_life;
	snprintf(service_account, sizeof(service_account), "%s:%s", options->namespace,
		 options->agent_service_account);
	settings.agents.service_account = service_account;
	return controller_new(daemon->net, daemon->client, &settings, &daemon->controller, error);
}

static int start_http(struct daemon *daemon, const struct operator_options *options,
		      struct error *error)
{
	const struct http_route routes[] = {
		{"/healthz", "text/plain", respond_healthy, daemon},
		{"/readyz", "text/plain", respond_ready, daemon},
		{"/metrics", METRICS_CONTENT_TYPE, respond_metrics, daemon},
	};

	return http_server_new(daemon->net, options->http_listen.host, options->http_listen.port,
			       routes, sizeof(routes) / sizeof(routes[0]), &daemon->http, error);
}

/* Closes all that is open; the loop then runs out of work. */
static void stop(struct daemon *daemon)
{
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&daemon->signals[i], NULL);
	uv_close((uv_handle_t *)&daemon->ending, NULL);
	daemon->http = http_server_free(daemon->http);
	if (daemon->controller)
		controller_stop(daemon->controller);
	daemon->client = kube_client_free(daemon->client);
	daemon->controller = controller_free(daemon->controller);
	daemon->net = net_context_free(daemon->net);
}

static void on_ending(uv_timer_t *timer)
{
	stop(timer->data);
}

/* Not from within: this may be called by the client that stop() frees. */
static void on_retired(void *context)
{
	struct daemon *daemon = context;

	uv_timer_start(&daemon->ending, on_ending, 0, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;

	if (uv_is_active((uv_handle_t *)&daemon->ending))
		return;
	log_info("ending on signal %d", number);
	uv_timer_start(&daemon->ending, on_ending, RETIRE_MS, 0);
	controller_retire(daemon->controller, on_retired, daemon);
}

static void watch_signals(struct daemon *daemon)
{
	static const int numbers[2] = {SIGTERM, SIGINT};

	signal(SIGPIPE, SIG_IGN);
	uv_timer_init(&daemon->loop, &daemon->ending);
	daemon->ending.data = daemon;
	for (int i = 0; i < 2; i++) {
		uv_signal_init(&daemon->loop, &daemon->signals[i]);
		daemon->signals[i].data = daemon;
		uv_signal_start(&daemon->signals[i], on_signal, numbers[i]);
	}
}

/* libwebsockets has room for each descriptor that there may be: enough, and not a million. */
static void limit_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS_LIMIT ? limit.rlim_max : DESCRIPTORS_LIMIT;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("the limit of descriptors stays as it is: %s", strerror(errno));
}

static int run(const struct operator_options *options)
{
	struct daemon daemon = {0};
	struct error error;
	int result;

	limit_descriptors();
	uv_loop_init(&daemon.loop);
	watch_signals(&daemon);
	result = net_context_new(&daemon.loop, 0, &daemon.net, &error);
	if (result == 0)
		result = connect_api(&daemon, options, &error);
	if (result == 0)
		result = start_controller(&daemon, options, &error);
	if (result == 0)
		result = start_http(&daemon, options, &error);
	if (result < 0) {
		log_error("%s", error.message);
		stop(&daemon);
	}
	uv_run(&daemon.loop, UV_RUN_DEFAULT);
	uv_loop_close(&daemon.loop);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	struct operator_options options;
	struct error error;

	if (operator_options_parse(argc, argv, &options, &error) < 0) {
		fprintf(stderr, "skep-operator: %s\n", error.message);
		return 2;
	}
	if (options.help) {
		operator_options_print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (options.version) {
		puts("skep-operator " SKEP_VERSION);
		return EXIT_SUCCESS;
	}
	log_set_level(options.log_level);
	return run(&options);
}
