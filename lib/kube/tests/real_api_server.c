// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/tests/real_api_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define START_SECONDS 90

struct cluster cluster = {.directory = "/tmp/skep-test-api-server-XXXXXX"};

char *format(const char *pattern, ...)
{
	va_list arguments;
	char *string;

	va_start(arguments, pattern);
	if (vasprintf(&string, pattern, arguments) < 0)
		abort();
	va_end(arguments);
	return string;
}

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(descriptor, (struct sockaddr *)&address, length) < 0 ||
	    getsockname(descriptor, (struct sockaddr *)&address, &length) < 0)
		abort();
	close(descriptor);
	return ntohs(address.sin_port);
}

static void execute(char *const arguments[])
{
	int log;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(cluster.directory) < 0)
		_exit(126);
	log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	execvp(arguments[0], arguments);
	_exit(127);
}

/* Starts a program in the directory; takes the arguments, which NULL ends, and frees them. */
static pid_t start(char *arguments[])
{
	pid_t process = fork();

	if (process == 0)
		execute(arguments);
	for (int i = 0; arguments[i]; i++)
		free(arguments[i]);
	return process;
}

void finish(pid_t *process, int signal)
{
	if (*process <= 0)
		return;
	kill(*process, signal);
	waitpid(*process, NULL, 0);
	*process = 0;
}

static pid_t start_etcd(void)
{
	int peer_port = free_port();
	char *arguments[] = {
		format("etcd"),
		format("--data-dir=%s/etcd", cluster.directory),
		format("--unsafe-no-fsync"),
		format("--listen-client-urls=http://127.0.0.1:%d", cluster.etcd_port),
		format("--advertise-client-urls=http://127.0.0.1:%d", cluster.etcd_port),
		format("--listen-peer-urls=http://127.0.0.1:%d", peer_port),
		format("--initial-advertise-peer-urls=http://127.0.0.1:%d", peer_port),
		format("--initial-cluster=default=http://127.0.0.1:%d", peer_port),
		NULL,
	};

	return start(arguments);
}

static pid_t start_api_server(int port)
{
	char *arguments[] = {
		format("%s/kube-apiserver", getenv("SKEP_KUBERNETES")),
		format("--etcd-servers=http://127.0.0.1:%d", cluster.etcd_port),
		format("--bind-address=127.0.0.1"),
		format("--advertise-address=127.0.0.1"),
		format("--endpoint-reconciler-type=none"),
		format("--secure-port=%d", port),
		format("--insecure-port=0"),
		format("--tls-cert-file=tls.crt"),
		format("--tls-private-key-file=tls.key"),
		format("--client-ca-file=tls.crt"),
		format("--cert-dir=%s", cluster.directory),
		format("--service-cluster-ip-range=10.96.0.0/24"),
		format("--service-account-issuer=https://kubernetes.default.svc"),
		format("--service-account-key-file=tls.key"),
		format("--service-account-signing-key-file=tls.key"),
		format("--token-auth-file=tokens.csv"),
		format("--authorization-mode=RBAC"),
		format("--disable-admission-plugins=ServiceAccount"),
		NULL,
	};

	return start(arguments);
}

/* One key pair serves TLS and signs the service account tokens. */
static void make_certificate(void)
{
	char *arguments[] = {
		format("openssl"),
		format("req"),
		format("-x509"),
		format("-newkey"),
		format("rsa:2048"),
		format("-nodes"),
		format("-subj"),
		format("/CN=test"),
		format("-addext"),
		format("subjectAltName=IP:127.0.0.1"),
		format("-keyout"),
		format("tls.key"),
		format("-out"),
		format("tls.crt"),
		NULL,
	};
	int status;

	waitpid(start(arguments), &status, 0);
	assert_int_equal(status, 0);
}

void write_file(const char *name, const char *contents)
{
	char *path = format("%s/%s", cluster.directory, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(contents, file);
	fclose(file);
	free(path);
}

struct kube_client *client_of(int port)
{
	struct kube_config config = {
		.server = format("https://127.0.0.1:%d", port),
		.ca_file = format("%s/tls.crt", cluster.directory),
		.token_file = format("%s/token", cluster.directory),
	};
	struct kube_client *client;

	assert_int_equal(kube_client_new(&cluster.loop, &config, &client, NULL), 0);
	kube_config_free(&config);
	return client;
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer; /* wakes the loop, no more */
}

void run_for(uint64_t milliseconds)
{
	uv_timer_t timer;

	uv_timer_init(&cluster.loop, &timer);
	uv_timer_start(&timer, on_tick, milliseconds, 0);
	while (uv_is_active((uv_handle_t *)&timer))
		uv_run(&cluster.loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&cluster.loop, UV_RUN_NOWAIT);
}

void on_response(void *context, const struct kube_response *response)
{
	struct answer *answer = context;

	answer->has_come = true;
	answer->status = response->status;
	answer->reason = response->reason ? strdup(response->reason) : NULL;
	answer->body = cJSON_Duplicate(response->body, true);
}

struct answer call(struct kube_client *client, const char *method, const char *path,
		   const char *type, const char *json)
{
	struct answer answer = {0};
	cJSON *body = json ? cJSON_Parse(json) : NULL;

	assert_int_equal(kube_request(client, method, path, type, body, on_response, &answer, NULL),
			 0);
	cJSON_Delete(body);
	while (!answer.has_come)
		uv_run(&cluster.loop, UV_RUN_ONCE);
	return answer;
}

void answer_free(struct answer *answer)
{
	free(answer->reason);
	cJSON_Delete(answer->body);
}

void must(struct kube_client *client, const char *method, const char *path, const char *type,
	  const char *json, int status)
{
	struct answer answer = call(client, method, path, type, json);

	if (answer.status != status)
		fail_msg("status %d, not %d: %s", answer.status, status, answer.reason);
	answer_free(&answer);
}

void await_status(struct kube_client *client, const char *method, const char *path,
		  const char *json, int status)
{
	for (int i = 0; i < START_SECONDS * 5; i++) {
		struct answer answer = call(client, method, path, KUBE_JSON, json);
		bool has_come = answer.status == status;

		answer_free(&answer);
		if (has_come)
			return;
		run_for(200);
	}
	fail_msg("%s %s did not become %d", method, path, status);
}

void server_start(struct server *server)
{
	if (!server->port)
		server->port = free_port();
	server->process = start_api_server(server->port);
	if (!server->client)
		server->client = client_of(server->port);
}

int start_cluster(void **state)
{
	(void)state;
	if (!getenv("SKEP_KUBERNETES")) {
		print_message("skipped: SKEP_KUBERNETES does not name a folder with Kubernetes\n");
		return 0;
	}
	uv_loop_init(&cluster.loop);
	if (!mkdtemp(cluster.directory))
		return -1;
	make_certificate();
	write_file("tokens.csv", "admin-token,admin,1,system:masters\n");
	write_file("token", "admin-token\n");
	cluster.etcd_port = free_port();
	cluster.etcd = start_etcd();
	server_start(&cluster.first);
	server_start(&cluster.second);
	await_status(cluster.first.client, "GET", "/readyz", NULL, 200);
	await_status(cluster.second.client, "GET", "/readyz", NULL, 200);
	await_status(cluster.first.client, "GET", NAMESPACE_PATH, NULL, 200);
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status, (void)kind, (void)walk;
	return remove(path);
}

int stop_cluster(void **state)
{
	(void)state;
	if (!getenv("SKEP_KUBERNETES"))
		return 0;
	kube_client_free(cluster.first.client);
	kube_client_free(cluster.second.client);
	uv_run(&cluster.loop, UV_RUN_DEFAULT);
	finish(&cluster.first.process, SIGKILL);
	finish(&cluster.second.process, SIGKILL);
	finish(&cluster.etcd, SIGKILL);
	nftw(cluster.directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return uv_loop_close(&cluster.loop);
}

void need_cluster(void)
{
	if (!getenv("SKEP_KUBERNETES"))
		skip();
}
