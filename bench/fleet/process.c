// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "bench/fleet/process.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* A port of loopback that nobody uses now. */
static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	cleanup_close int descriptor = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(descriptor, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(descriptor, (struct sockaddr *)&address, &size) < 0)
		fail("a port of loopback");
	return ntohs(address.sin_port);
}

static void run_child(char *arguments[], const char *log)
{
	int descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);	  /* it must not outlive the benchmark */
	setenv("POD_NAME", "skep-operator-0", 1); /* a container of the pod that it was in before */
	setenv("POD_UID", "0", 1);
	if (descriptor < 0)
		_exit(126);
	dup2(descriptor, STDOUT_FILENO);
	dup2(descriptor, STDERR_FILENO);
	execv(arguments[0], arguments);
	_exit(127);
}

void process_start(struct process *process, const char *program, const char *folder,
		   const char *kubeconfig)
{
	char log[256], options[5][320];
	char *arguments[] = {(char *)program, options[0], options[1], options[2],
			     options[3],      options[4], NULL};

	snprintf(log, sizeof(log), "%s/operator.log", folder);
	if (!process->agent_port) {
		process->agent_port = free_port();
		process->http_port = free_port();
	}
	snprintf(options[0], sizeof(options[0]), "--kubeconfig=%s", kubeconfig);
	snprintf(options[1], sizeof(options[1]), "--agent-listen=127.0.0.1:%d",
		 process->agent_port);
	snprintf(options[2], sizeof(options[2]), "--http-listen=127.0.0.1:%d", process->http_port);
	snprintf(options[3], sizeof(options[3]), "--api-listen=127.0.0.1:%d", free_port());
	snprintf(options[4], sizeof(options[4]), "--log-level=warn");
	process->pid = fork();
	if (process->pid < 0)
		fail("fork");
	if (process->pid == 0)
		run_child(arguments, log);
}

void process_kill(struct process *process)
{
	if (!process->pid)
		return;
	kill(process->pid, SIGKILL);
	waitpid(process->pid, NULL, 0);
	process->pid = 0;
}

static size_t take_data(char *data, size_t size, size_t count, void *context)
{
	text_append(context, data, size * count);
	return size * count;
}

/* The answer's status, 0 for none; what it says goes into `body`. */
static long fetch(const struct process *process, const char *path, struct text *body)
{
	CURL *easy = curl_easy_init();
	char url[128];
	long status = 0;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", process->http_port, path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
	if (curl_easy_perform(easy) == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(easy);
	return status;
}

bool process_is_ready(const struct process *process)
{
	cleanup_text struct text body = TEXT_EMPTY;

	if (waitpid(process->pid, NULL, WNOHANG) != 0) {
		fprintf(stderr, "fleet: the operator has ended; see its log\n");
		exit(EXIT_FAILURE);
	}
	return fetch(process, "/readyz", &body) == 200;
}

/* The number behind `name` in a file of /proc/<pid>. */
static uint64_t status_number(const struct process *process, const char *name)
{
	char path[64], line[256];
	cleanup_file FILE *file = NULL;
	size_t length = strlen(name);

	snprintf(path, sizeof(path), "/proc/%d/status", process->pid);
	file = fopen(path, "r");
	if (!file)
		fail(path);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, length) == 0)
			return strtoull(line + length, NULL, 10);
	return 0;
}

uint64_t process_rss(const struct process *process)
{
	return status_number(process, "VmRSS:");
}

uint64_t process_peak(const struct process *process)
{
	return status_number(process, "VmHWM:");
}

uint64_t process_cpu_ms(const struct process *process)
{
	char path[64];
	unsigned long user = 0, system = 0;
	cleanup_file FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", process->pid);
	file = fopen(path, "r");
	if (!file ||
	    fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		   &system) != 2)
		fail(path);
	return (user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
}

double process_metric(const struct process *process, const char *name)
{
	cleanup_text struct text body = TEXT_EMPTY;
	const char *at;
	size_t length = strlen(name);

	fetch(process, "/metrics", &body);
	for (at = body.data; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, length) == 0 && at[length] == ' ')
			return strtod(at + length, NULL);
	}
	fprintf(stderr, "fleet: the operator has no metric %s\n", name);
	exit(EXIT_FAILURE);
}
