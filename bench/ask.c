// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * A client of two HTTP servers in turn: ask ADDRESS ADDRESS PORT PATH CONNECTIONS SLICE_MS
 *
 * For a slice of time it asks the first server on all connections, each with one request under way,
 * then the second one, the second one again, the first one, and so on; a slice ends when its last
 * answer is there. So both servers meet the same machine, however that changes from one moment to
 * the next. For each line on standard input it writes one of what happened since the line before,
 * as JSON: for each server requests, seconds, the client's own CPU time, and below which time 50
 * and 99 of 100 requests had their answer. It ends with its standard input.
 */

#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define SERVERS		  2
#define CONNECTIONS_LIMIT 256
#define TIMES_LIMIT	  (1U << 22) /* requests whose time is kept; of more, only the number is told */
#define ANSWER_LIMIT	  4096
#define STDIN_EVENT	  UINT32_MAX

struct connection {
	int socket;
	uint64_t asked_ns;
};

/* A server, and what it did since the last line. */
struct server {
	struct connection connections[CONNECTIONS_LIMIT];
	uint64_t requests, ns, cpu_ns;
	uint32_t *times; /* ns of each request */
};

struct client {
	struct server servers[SERVERS];
	int poll;
	uint32_t connections;
	uint64_t slice_ns;
	uint64_t slice; /* number of the slice that runs */
	uint64_t begin_ns, begin_cpu_ns;
	uint32_t under_way;
	bool line_due;
};

static char request[1024];
static size_t answer_size; /* all answers are alike: the first one has shown how long they are */

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* First, second, second, first: what drifts evenly cancels out. */
static struct server *server_of_slice(struct client *client)
{
	return &client->servers[(client->slice + 1) >> 1 & 1];
}

static void ask(struct connection *connection, uint64_t now_ns)
{
	connection->asked_ns = now_ns;
	if (write(connection->socket, request, strlen(request)) != (ssize_t)strlen(request))
		err(1, "a request could not be sent");
}

static void begin_slice(struct client *client)
{
	struct server *server = server_of_slice(client);

	client->begin_cpu_ns = now(CLOCK_PROCESS_CPUTIME_ID);
	client->begin_ns = now(CLOCK_MONOTONIC);
	client->under_way = client->connections;
	for (uint32_t i = 0; i < client->connections; i++)
		ask(&server->connections[i], now(CLOCK_MONOTONIC));
}

static void end_slice(struct client *client)
{
	struct server *server = server_of_slice(client);

	server->ns += now(CLOCK_MONOTONIC) - client->begin_ns;
	server->cpu_ns += now(CLOCK_PROCESS_CPUTIME_ID) - client->begin_cpu_ns;
	client->slice++;
}

static void read_answer(struct connection *connection)
{
	char answer[ANSWER_LIMIT];
	ssize_t size = read(connection->socket, answer, sizeof(answer));

	if (size <= 0)
		err(1, "the server closed a connection");
	if (!answer_size)
		answer_size = (size_t)size;
	if ((size_t)size != answer_size || strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
		errx(1, "not the answer that was expected: %.*s", (int)size, answer);
}

static void take_answer(struct client *client, uint32_t number)
{
	struct server *server = server_of_slice(client);
	struct connection *connection = &server->connections[number];
	uint64_t now_ns;

	read_answer(connection);
	now_ns = now(CLOCK_MONOTONIC);
	if (server->requests < TIMES_LIMIT)
		server->times[server->requests] = (uint32_t)(now_ns - connection->asked_ns);
	server->requests++;
	if (now_ns - client->begin_ns < client->slice_ns)
		ask(connection, now_ns);
	else
		client->under_way--;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void tell_server(struct server *server)
{
	size_t known = server->requests < TIMES_LIMIT ? server->requests : TIMES_LIMIT;

	server->times[known] = 0; /* where there was no request */
	qsort(server->times, known, sizeof(server->times[0]), compare);
	printf("{\"requests\": %lu, \"seconds\": %.9f, \"cpu\": %.9f, \"p50\": %.9f, \"p99\": "
	       "%.9f}",
	       server->requests, (double)server->ns / 1e9, (double)server->cpu_ns / 1e9,
	       server->times[known / 2] / 1e9, server->times[known * 99 / 100] / 1e9);
	server->requests = server->ns = server->cpu_ns = 0;
}

/* Only between rounds of four slices, so that each server had two of them. */
static void tell(struct client *client)
{
	printf("[");
	tell_server(&client->servers[0]);
	printf(", ");
	tell_server(&client->servers[1]);
	printf("]\n");
	fflush(stdout);
	client->line_due = false;
}

/* False at the end of standard input. */
static bool take_line(struct client *client)
{
	char line[64];

	client->line_due = true;
	return read(STDIN_FILENO, line, sizeof(line)) > 0;
}

static void run(struct client *client)
{
	struct epoll_event events[CONNECTIONS_LIMIT];

	for (;;) {
		if (!client->under_way) {
			if (client->line_due && client->slice % 4 == 0)
				tell(client);
			begin_slice(client);
		}
		int count = epoll_wait(client->poll, events, CONNECTIONS_LIMIT, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.u32 != STDIN_EVENT)
				take_answer(client, events[i].data.u32);
			else if (!take_line(client))
				return;
		}
		if (!client->under_way)
			end_slice(client);
	}
}

static void follow(struct client *client, int file, uint32_t number)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};

	if (epoll_ctl(client->poll, EPOLL_CTL_ADD, file, &event) < 0)
		err(1, "epoll_ctl");
}

static int dial(const char *address, uint16_t port)
{
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
	int dialled = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (inet_pton(AF_INET, address, &server.sin_addr) != 1)
		errx(1, "not an address: %s", address);
	if (connect(dialled, (struct sockaddr *)&server, sizeof(server)) < 0)
		err(1, "connect to %s", address);
	setsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return dialled;
}

static void open_connections(struct client *client, struct server *server, const char *address,
			     uint16_t port)
{
	server->times = calloc(TIMES_LIMIT + 1, sizeof(server->times[0]));
	if (!server->times)
		errx(1, "no memory");
	for (uint32_t i = 0; i < client->connections; i++) {
		server->connections[i].socket = dial(address, port);
		follow(client, server->connections[i].socket, i);
	}
}

int main(int argc, char **argv)
{
	static struct client client;

	if (argc != 7)
		errx(1, "usage: ask ADDRESS ADDRESS PORT PATH CONNECTIONS SLICE_MS");
	client.connections = (uint32_t)atoi(argv[5]);
	client.slice_ns = (uint64_t)atoi(argv[6]) * 1000000;
	if (!client.connections || client.connections > CONNECTIONS_LIMIT)
		errx(1, "CONNECTIONS is not 1 to %d", CONNECTIONS_LIMIT);
	client.poll = epoll_create1(0);
	follow(&client, STDIN_FILENO, STDIN_EVENT);
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: bench:%s\r\n\r\n", argv[4],
		 argv[3]);
	for (int i = 0; i < SERVERS; i++)
		open_connections(&client, &client.servers[i], argv[1 + i], (uint16_t)atoi(argv[3]));
	run(&client);
	return 0;
}
