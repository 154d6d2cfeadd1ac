// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/tests/operator_double.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "node-agent/pods/hierarchy.h"

#define SERVER_NAME "skep-operator.test"
#define TOKEN	    "token-of-the-test"
#define PATIENCE_MS 20000
#define TICK_MS	    2

static void on_authenticate(void *context, struct link_peer *peer, const char *token)
{
	struct operator_double *operator= context;

	if (strcmp(token, TOKEN) != 0) {
		link_peer_refuse(peer, "wrong token");
		return;
	}
	operator->peer = peer;
	link_peer_admit(peer);
}

/* Where the last message of this type is kept. */
static cJSON **last_of(struct operator_double *operator, const char * type)
{
	if (strcmp(type, "hello") == 0)
		return &operator->hello;
	if (strcmp(type, "lookup") == 0)
		return &operator->lookup;
	return strcmp(type, "edges") == 0 ? &operator->edges : & operator->report;
}

static void on_message(void *context, struct link_peer *peer, const cJSON *message)
{
	struct operator_double *operator= context;
	cJSON **last = last_of(operator, json_text(message, "type"));

	(void)peer;
	cJSON_Delete(*last);
	*last = cJSON_Duplicate(message, 1);
	if (last == &operator->hello)
		operator->hellos++;
	else if (last == &operator->report)
		operator->reports++;
}

static void on_closed(void *context, struct link_peer *peer, const char *why)
{
	struct operator_double *operator= context;

	(void)why;
	if (operator->peer == peer)
		operator->peer = NULL;
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	cleanup_close int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(file, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(file, (struct sockaddr *)&address, &length), 0);
	return ntohs(address.sin_port);
}

static void write_file(const struct operator_double *operator, const char * name, const char *text)
{
	cleanup_free char *path = NULL;
	cleanup_file FILE *file = NULL;

	assert_true(asprintf(&path, "%s/%s", operator->folder, name) > 0);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
}

static void listen_for_agent(struct operator_double *operator)
{
	static const struct link_server_handlers handlers = {on_authenticate, on_message,
							     on_closed};
	struct error error;

	if (link_server_new(operator->net,
			    "127.0.0.1", operator->port, operator->bundle.certificate,
							 operator->bundle.key,
			    &handlers, operator, & operator->server, &error) < 0)
		fail_msg("%s", error.message);
}

static void make_kubepods(struct operator_double *operator)
{
	struct hierarchy hierarchy;
	struct error error;
	char path[DOUBLE_PATH_SIZE];

	if (hierarchy_find("/sys/fs/cgroup", &hierarchy, &error) < 0)
		fail_msg("%s", error.message);
	snprintf(path, sizeof(path), "%.400s/skep-test-%d", hierarchy.root, getpid());
	hierarchy_free(&hierarchy);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(operator->kubepods, sizeof(operator->kubepods), "%.480s/kubepods", path);
	assert_int_equal(mkdir(operator->kubepods, 0755), 0);
	snprintf(path, sizeof(path), "%.480s/burstable", operator->kubepods);
	assert_int_equal(mkdir(path, 0755), 0);
}

void double_start(struct operator_double *operator)
{
	static const char *const names[] = {SERVER_NAME};
	struct error error;

	memset(operator, 0, sizeof(*operator));
	operator->events = - 1;
	signal(SIGPIPE, SIG_IGN);
	strcpy(operator->folder, "/tmp/skep-agent-test-XXXXXX");
	assert_non_null(mkdtemp(operator->folder));
	make_kubepods(operator);
	uv_loop_init(&operator->loop);
	uv_timer_init(&operator->loop, &operator->tick);
	uv_timer_start(&operator->tick, on_tick, TICK_MS, TICK_MS);
	operator->port = free_port();
	operator->http_port = free_port();
	assert_int_equal(net_context_new(&operator->loop, 16, &operator->net, &error), 0);
	assert_int_equal(pki_bundle_make(names, 1, time(NULL), &operator->bundle, &error), 0);
	write_file(operator, "ca.crt", operator->bundle.ca_certificate);
	write_file(operator, "token", TOKEN);
	listen_for_agent(operator);
}

void double_go_away(struct operator_double *operator)
{
	operator->server = link_server_free(operator->server);
	operator->peer = NULL;
}

void double_come_back(struct operator_double *operator)
{
	listen_for_agent(operator);
}

static void remove_tree(const char *path)
{
	cleanup_free char *command = NULL;

	assert_true(asprintf(&command, "rm -rf '%s'", path) > 0);
	assert_int_equal(system(command), 0);
}

static void remove_kubepods(const struct operator_double *operator)
{
	cleanup_free char *command = NULL;

	assert_true(asprintf(&command,
			     "find '%s/..' -mindepth 1 -depth -type d -delete; "
			     "rmdir '%s/..' 2>/dev/null || rmdir \"$(dirname '%s')\"",
			     operator->kubepods, operator->kubepods, operator->kubepods) > 0);
	assert_int_equal(system(command), 0);
}

static void end_talk(struct operator_double *operator)
{
	close(operator->order);
	waitpid(operator->talker, NULL, 0);
	operator->talker = 0;
}

void double_stop(struct operator_double *operator)
{
	if (operator->agent)
		agent_end(operator, SIGKILL);
	if (operator->talker)
		end_talk(operator);
	remove_kubepods(operator);
	remove_tree(operator->folder);
	operator->server = link_server_free(operator->server);
	operator->net = net_context_free(operator->net);
	uv_close((uv_handle_t *)&operator->tick, NULL);
	uv_run(&operator->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&operator->loop), 0);
	pki_bundle_free(&operator->bundle);
	text_free(&operator->event_text);
	cJSON_Delete(operator->hello);
	cJSON_Delete(operator->report);
	cJSON_Delete(operator->lookup);
	cJSON_Delete(operator->edges);
}

static _Noreturn void run_agent(const struct operator_double *operator)
{
	const char *program = getenv("SKEP_NODE_AGENT");
	char words[9][DOUBLE_PATH_SIZE + 32];
	char *arguments[10] = {0};

	if (!program)
		program = "build/skep-node-agent";
	snprintf(words[0], sizeof(words[0]), "%s", program);
	snprintf(words[1], sizeof(words[1]), "--operator=127.0.0.1:%d", operator->port);
	snprintf(words[2], sizeof(words[2]), "--operator-name=%s", SERVER_NAME);
	snprintf(words[3], sizeof(words[3]), "--node=node-of-the-test");
	snprintf(words[4], sizeof(words[4]), "--ca=%s/ca.crt", operator->folder);
	snprintf(words[5], sizeof(words[5]), "--token=%s/token", operator->folder);
	snprintf(words[6], sizeof(words[6]), "--state-dir=%s/state/agent", operator->folder);
	snprintf(words[7], sizeof(words[7]), "--http-listen=127.0.0.1:%d", operator->http_port);
	snprintf(words[8], sizeof(words[8]), "--log-level=debug");
	for (int i = 0; i < 9; i++)
		arguments[i] = words[i];
	execv(program, arguments);
	perror(program);
	_exit(127);
}

void agent_start(struct operator_double *operator)
{
	char log[DOUBLE_PATH_SIZE + 8];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	snprintf(log, sizeof(log), "%s/log", operator->folder);
	operator->agent = fork();
	if (operator->agent == 0) {
		int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		dup2(file, STDERR_FILENO);
		run_agent(operator);
	}
	assert_true(operator->agent> 0);
	close(ends[1]);
	if (operator->events >= 0)
		close(operator->events);
	operator->events = ends[0];
	fcntl(operator->events, F_SETFL, O_NONBLOCK);
}

int agent_end(struct operator_double *operator, int signal_number)
{
	int status = 0;

	kill(operator->agent, signal_number);
	assert_int_equal(waitpid(operator->agent, &status, 0), operator->agent);
	operator->agent = 0;
	operator->peer = NULL;
	return status;
}

static void read_events(struct operator_double *operator)
{
	char piece[4096];
	ssize_t length;

	while (operator->events >= 0 &&(length = read(operator->events, piece, sizeof(piece))) > 0)
		text_append(&operator->event_text, piece, (size_t)length);
}

static void show_log(const struct operator_double *operator)
{
	cleanup_free char *command = NULL;

	if (asprintf(&command, "tail -n 40 '%s/log' >&2", operator->folder) > 0)
		(void)!system(command);
}

bool double_wait(struct operator_double *operator, bool (*done)(struct operator_double *))
{
	uint64_t end = uv_hrtime() + PATIENCE_MS * 1000000ULL;

	while (uv_hrtime() < end) {
		uv_run(&operator->loop, UV_RUN_ONCE);
		read_events(operator);
		if (done(operator))
			return true;
	}
	show_log(operator);
	return false;
}

void double_send(struct operator_double *operator, const char * format, ...)
{
	cleanup_free char *text = NULL;
	cJSON *message;
	va_list arguments;

	va_start(arguments, format);
	assert_true(vasprintf(&text, format, arguments) > 0);
	va_end(arguments);
	message = cJSON_Parse(text);
	assert_non_null(message);
	assert_non_null(operator->peer);
	assert_int_equal(link_peer_send(operator->peer, message), 0);
}

static void pod_path(const struct operator_double *operator, const char * uid,
		     const char *container, char path[DOUBLE_PATH_SIZE])
{
	snprintf(path, DOUBLE_PATH_SIZE, "%.256s/burstable/pod%.64s%s%.128s", operator->kubepods,
		 uid, container ? "/" : "", container ? container : "");
}

void pod_make(struct operator_double *operator, const char * uid, const char *container)
{
	char path[DOUBLE_PATH_SIZE];

	pod_path(operator, uid, container, path);
	assert_int_equal(mkdir(path, 0755), 0);
}

void pod_remove(struct operator_double *operator, const char * uid, const char *container)
{
	char path[DOUBLE_PATH_SIZE];

	pod_path(operator, uid, container, path);
	assert_int_equal(rmdir(path), 0);
}

int pod_programs(struct operator_double *operator, const char * uid, const char *container,
		 enum bpf_attach_type type)
{
	__u32 programs[64], count = 64;
	char path[DOUBLE_PATH_SIZE];
	cleanup_close int cgroup = -1;

	pod_path(operator, uid, container, path);
	cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		return -1;
	assert_int_equal(bpf_prog_query(cgroup, type, 0, NULL, programs, &count), 0);
	return (int)count;
}

void pod_exec(struct operator_double *operator, const char * uid, const char *container,
	      const char *argument)
{
	char path[DOUBLE_PATH_SIZE], procs[DOUBLE_PATH_SIZE + 16];
	pid_t child;
	int status;

	pod_path(operator, uid, container, path);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	child = fork();
	if (child == 0) {
		int file = open(procs, O_WRONLY | O_CLOEXEC);

		if (file < 0 || write(file, "0", 1) != 1)
			_exit(1);
		execl("/bin/true", "true", argument, NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Gives the loopback of a new network the address. */
static void make_network(const char *address)
{
	struct sockaddr_in *local;
	struct ifreq request = {.ifr_name = "lo"};
	cleanup_close int file = -1;

	if (unshare(CLONE_NEWNET) < 0)
		_exit(2);
	file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	local = (struct sockaddr_in *)&request.ifr_addr;
	local->sin_family = AF_INET;
	inet_pton(AF_INET, address, &local->sin_addr);
	if (ioctl(file, SIOCSIFADDR, &request) < 0)
		_exit(3);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(file, SIOCSIFFLAGS, &request) < 0)
		_exit(4);
}

static _Noreturn void talk(const char *address, int order)
{
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(8080)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;
	char payload[1000] = {0}, byte;

	inet_pton(AF_INET, address, &server.sin_addr);
	if (bind(listener, (struct sockaddr *)&server, sizeof(server)) < 0 ||
	    listen(listener, 1) < 0 ||
	    connect(client, (struct sockaddr *)&server, sizeof(server)) < 0)
		_exit(5);
	accepted = accept(listener, NULL, NULL);
	do {
		if (send(client, payload, sizeof(payload), 0) != sizeof(payload) ||
		    recv(accepted, payload, sizeof(payload), MSG_WAITALL) != sizeof(payload))
			_exit(6);
	} while (read(order, &byte, 1) == 1);
	_exit(0);
}

void pod_talk(struct operator_double *operator, const char * uid, const char *address)
{
	char path[DOUBLE_PATH_SIZE], procs[DOUBLE_PATH_SIZE + 16];
	int ends[2];

	pod_path(operator, uid, NULL, path);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	operator->talker = fork();
	if (operator->talker == 0) {
		int file = open(procs, O_WRONLY | O_CLOEXEC);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[1]);
		if (file < 0 || write(file, "0", 1) != 1)
			_exit(1);
		make_network(address);
		talk(address, ends[0]);
	}
	assert_true(operator->talker> 0);
	close(ends[0]);
	operator->order = ends[1];
}

void pod_talk_more(const struct operator_double *operator)
{
	assert_int_equal(write(operator->order, "", 1), 1);
	usleep(100000); /* over loopback, a millisecond would do */
}

char *agent_get(struct operator_double *operator, const char * path)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons((uint16_t) operator->http_port)};
	cleanup_close int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval patience = {.tv_sec = 5};
	struct text answer = TEXT_EMPTY;
	char piece[4096];
	ssize_t length;

	setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(file, (struct sockaddr *)&address, sizeof(address)) < 0)
		return NULL;
	dprintf(file, "GET %s HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n", path);
	while ((length = read(file, piece, sizeof(piece))) > 0)
		text_append(&answer, piece, (size_t)length);
	return answer.data;
}
