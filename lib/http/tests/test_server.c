// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The HTTP server, asked by clients made by hand in threads of their own. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <zlib.h>

#include "lib/base/log.h"
#include "lib/http/server.h"
#include "lib/net/context.h"

#define PATIENCE_MS	 20000
#define LARGE		 (9 << 20)
#define UNPACKABLE	 (12 << 20) /* and as much, but a quarter, when it is packed */
#define CONNECTION_LIMIT 64

struct fixture {
	uv_loop_t loop;
	uv_timer_t patience;
	bool late;
	struct net_context *net;
	struct http_server *server;
	int port;
	unsigned int asked;
};

static int respond_health(void *context, struct text *body)
{
	((struct fixture *)context)->asked++;
	text_append_string(body, "ok\n");
	return 200;
}

static int respond_sick(void *context, struct text *body)
{
	(void)context;
	text_append_string(body, "no API server\n");
	return 503;
}

static int respond_large(void *context, struct text *body)
{
	(void)context;
	for (int i = 0; i < LARGE / 16; i++)
		text_append_format(body, "%015d\n", i);
	return 200;
}

/* Repeats itself farther apart than gzip looks back. */
static int respond_unpackable(void *context, struct text *body)
{
	static const char digits[65] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static char block[64 << 10];
	uint32_t number = 1;

	(void)context;
	for (size_t i = 0; i < sizeof(block); i++) {
		number = number * 1664525 + 1013904223;
		block[i] = digits[number >> 26];
	}
	for (size_t left = UNPACKABLE; left >= sizeof(block); left -= sizeof(block))
		text_append(body, block, sizeof(block));
	return 200;
}

static int respond_empty(void *context, struct text *body)
{
	(void)context, (void)body;
	return 200;
}

static void patience_over(uv_timer_t *timer)
{
	((struct fixture *)timer->data)->late = true;
}

#define run_until(f, condition)                                                                    \
	do {                                                                                       \
		(f)->late = false;                                                                 \
		uv_timer_start(&(f)->patience, patience_over, PATIENCE_MS, 0);                     \
		while (!(condition) && !(f)->late)                                                 \
			uv_run(&(f)->loop, UV_RUN_ONCE);                                           \
		uv_timer_stop(&(f)->patience);                                                     \
		assert_true(condition);                                                            \
	} while (0)

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int probe = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(probe, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &size), 0);
	close(probe);
	return ntohs(address.sin_port);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct http_route routes[] = {
		{"/healthz", "text/plain", respond_health, f},
		{"/readyz", "text/plain", respond_sick, f},
		{"/metrics", "text/plain; version=0.0.4", respond_large, f},
		{"/empty", "text/plain", respond_empty, f},
		{"/unpackable", "text/plain", respond_unpackable, f},
	};
	struct error error = {""};

	log_set_level(LOG_LEVEL_ERROR);
	f->port = free_port();
	uv_loop_init(&f->loop);
	uv_timer_init(&f->loop, &f->patience);
	f->patience.data = f;
	assert_int_equal(net_context_new(&f->loop, 100, &f->net, &error), 0);
	assert_int_equal(http_server_new(f->net, "", f->port, routes, 5, &f->server, &error), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_server_free(f->server);
	net_context_free(f->net);
	uv_close((uv_handle_t *)&f->patience, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

struct asker {
	pthread_t thread;
	int port;
	const char *request;
	bool drip; /* one byte every half second */
	struct text answer;
	atomic_bool done;
};

/* From 127.0.0.`from`. */
static int dial_from(int port, uint32_t from)
{
	struct sockaddr_in own = {.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + from)};
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

static int dial(int port)
{
	return dial_from(port, 1);
}

static void asker_send(struct asker *asker, int fd)
{
	size_t length = strlen(asker->request), step = asker->drip ? 1 : length;

	for (size_t sent = 0; sent < length; sent += step) {
		if (send(fd, asker->request + sent, step, MSG_NOSIGNAL) < 0)
			return;
		if (asker->drip)
			usleep(500000);
	}
}

static void *asker_run(void *context)
{
	struct asker *asker = context;
	int fd = dial(asker->port);
	char buffer[65536];
	ssize_t count;

	asker_send(asker, fd);
	while ((count = read(fd, buffer, sizeof(buffer))) > 0)
		text_append(&asker->answer, buffer, (size_t)count);
	close(fd);
	atomic_store(&asker->done, true);
	return NULL;
}

static void ask(struct fixture *f, struct asker *asker)
{
	asker->port = f->port;
	assert_int_equal(pthread_create(&asker->thread, NULL, asker_run, asker), 0);
	run_until(f, atomic_load(&asker->done));
	pthread_join(asker->thread, NULL);
	text_append(&asker->answer, "", 0);
}

static void assert_answer(struct fixture *f, const char *request, const char *status,
			  const char *body)
{
	struct asker asker = {.request = request};
	const char *end;

	ask(f, &asker);
	assert_non_null(strstr(asker.answer.data, status));
	end = strstr(asker.answer.data, "\r\n\r\n");
	assert_non_null(end);
	assert_string_equal(end + 4, body);
	text_free(&asker.answer);
}

static void test_answers_routes(void **state)
{
	struct fixture *f = *state;

	assert_answer(f, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		      "HTTP/1.1 200 OK", "ok\n");
	assert_answer(f, "GET /healthz?verbose=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		      "HTTP/1.1 200 OK", "ok\n");
	assert_answer(f, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		      "HTTP/1.1 503", "no API server\n");
	assert_answer(f, "GET /empty HTTP/1.0\r\n\r\n", " 200 OK", "");
	assert_answer(f, "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		      "HTTP/1.1 404", "not found\n");
	assert_int_equal(f->asked, 2);
}

static void test_answers_head_without_a_body(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {
		.request = "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"};

	ask(f, &asker);
	assert_non_null(strcasestr(asker.answer.data, "content-length: 3\r\n"));
	assert_string_equal(strstr(asker.answer.data, "\r\n\r\n"), "\r\n\r\n");
	text_free(&asker.answer);
}

static void test_refuses_other_methods(void **state)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
	struct fixture *f = *state;
	char request[160];

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct asker asker = {.request = request};

		snprintf(request, sizeof(request),
			 "%s /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
			 methods[i]);
		ask(f, &asker);
		assert_non_null(strstr(asker.answer.data, "HTTP/1.1 405"));
		assert_non_null(strcasestr(asker.answer.data, "allow: GET, HEAD\r\n"));
		text_free(&asker.answer);
	}
	assert_int_equal(f->asked, 0);
}

static void test_keeps_connections_alive(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
					 "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
					 "GET /readyz HTTP/1.1\r\nHost: x\r\n"
					 "Connection: close\r\n\r\n"};

	ask(f, &asker);
	assert_int_equal(f->asked, 2);
	assert_non_null(strstr(asker.answer.data, "no API server\n"));
	text_free(&asker.answer);
}

static void test_sends_large_bodies_whole(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {
		.request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"};
	const char *body;

	ask(f, &asker);
	body = strstr(asker.answer.data, "\r\n\r\n") + 4;
	assert_int_equal(strlen(body), LARGE);
	for (int i = 0; i < LARGE / 16; i++)
		assert_int_equal(strtol(body + (size_t)i * 16, NULL, 10), i);
	text_free(&asker.answer);
}

#define TAKES_PACKED "Host: x\r\nAccept-Encoding: deflate, gzip\r\nConnection: close\r\n\r\n"

static void assert_header(const struct text *answer, const char *header)
{
	const char *found = strcasestr(answer->data, header);

	assert_non_null(found);
	assert_true(found < strstr(answer->data, "\r\n\r\n"));
}

/* The body of an answer, unpacked; owned by the caller. */
static char *unpack(const struct text *answer)
{
	const char *body = strstr(answer->data, "\r\n\r\n") + 4;
	char *text = calloc(1, LARGE + 1);
	z_stream stream = {
		.next_in = (unsigned char *)body,
		.avail_in = (unsigned int)(answer->data + answer->length - body),
		.next_out = (unsigned char *)text,
		.avail_out = LARGE,
	};

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	inflateEnd(&stream);
	return text;
}

static void test_packs_large_bodies_for_those_who_take_them(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.request = "GET /metrics HTTP/1.1\r\n" TAKES_PACKED};
	char *body;

	ask(f, &asker);
	assert_header(&asker.answer, "content-encoding: gzip\r\n");
	assert_header(&asker.answer, "vary: accept-encoding\r\n");
	assert_true(asker.answer.length < LARGE / 3);
	body = unpack(&asker.answer);
	assert_int_equal(strlen(body), LARGE);
	for (int i = 0; i < LARGE / 16; i++)
		assert_int_equal(strtol(body + (size_t)i * 16, NULL, 10), i);
	free(body);
	text_free(&asker.answer);
}

static void test_packs_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct asker small = {.request = "GET /healthz HTTP/1.1\r\n" TAKES_PACKED};
	struct asker head = {
		.request = "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"};

	ask(f, &small);
	assert_null(strcasestr(small.answer.data, "content-encoding"));
	assert_string_equal(strstr(small.answer.data, "\r\n\r\n") + 4, "ok\n");
	ask(f, &head);
	assert_null(strcasestr(head.answer.data, "content-encoding"));
	assert_header(&head.answer, "vary: accept-encoding\r\n");
	assert_header(&head.answer, "content-length: 9437184\r\n");
	text_free(&small.answer);
	text_free(&head.answer);
}

static void test_closes_on_garbage(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.request = "\x16\x03\x01 what is this\r\n\r\n\r\n\r\n"};

	ask(f, &asker);
	assert_null(strstr(asker.answer.data ? asker.answer.data : "", " 200 "));
	text_free(&asker.answer);
}

static void test_does_not_upgrade(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.request =
				      "GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
				      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"};

	ask(f, &asker);
	assert_null(strstr(asker.answer.data ? asker.answer.data : "", " 101 "));
	text_free(&asker.answer);
}

static void test_does_not_wait_for_slow_requests(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.request = "GET /healthz HTTP/1.1\r\nX-Long: aaaaaaaaaaaaaaaaaaaa",
			      .drip = true};
	uint64_t start = uv_now(&f->loop), spent;

	ask(f, &asker);
	spent = uv_now(&f->loop) - start;
	assert_in_range(spent, 9000, 60000); /* on a loaded machine, later */
	assert_int_equal(asker.answer.length, 0);
	text_free(&asker.answer);
}

static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_bounds_connections(void **state)
{
	struct fixture *f = *state;
	int crowd[CONNECTION_LIMIT], last;

	for (int i = 0; i < CONNECTION_LIMIT; i++)
		crowd[i] = dial(f->port);
	last = dial(f->port);
	run_until(f, is_closed(last));
	for (int i = 0; i < CONNECTION_LIMIT; i++) {
		assert_false(is_closed(crowd[i]));
		close(crowd[i]);
	}
	close(last);
	for (int i = 0; i < 20; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	test_answers_routes(state);
}

/* Idle connections of who has most of them give way to another, who is answered. */
static void test_lets_no_flood_keep_others_out(void **state)
{
	struct fixture *f = *state;
	int crowd[CONNECTION_LIMIT];

	for (int i = 0; i < CONNECTION_LIMIT; i++)
		crowd[i] = dial_from(f->port, 2);
	for (int i = 0; i < 20; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	test_answers_routes(state);
	run_until(f, is_closed(crowd[0]));
	for (int i = 0; i < CONNECTION_LIMIT; i++)
		close(crowd[i]);
}

static bool begins_with(int fd, const char *expected)
{
	char start[64] = "";
	ssize_t size = recv(fd, start, sizeof(start) - 1, MSG_DONTWAIT | MSG_PEEK);

	return size > 0 && strncmp(start, expected, strlen(expected)) == 0;
}

static int ask_and_read_slowly(struct fixture *f)
{
	static const char request[] = "GET /unpackable HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = dial(f->port);

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	run_until(f, begins_with(fd, "HTTP/1.1 "));
	return fd;
}

/* Two answers are more than the server keeps for those who do not read. */
static void test_bounds_what_waits_for_slow_readers(void **state)
{
	struct fixture *f = *state;
	int first = ask_and_read_slowly(f), second = ask_and_read_slowly(f);

	assert_true(begins_with(first, "HTTP/1.1 200 "));
	assert_true(begins_with(second, "HTTP/1.1 503 "));
	test_answers_routes(state);
	close(first);
	close(second);
	for (int i = 0; i < 20; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	first = ask_and_read_slowly(f);
	assert_true(begins_with(first, "HTTP/1.1 200 "));
	close(first);
}

static void test_says_why_it_cannot_listen(void **state)
{
	struct fixture *f = *state;
	const struct http_route route = {"/", "text/plain", respond_empty, NULL};
	struct http_server *other = NULL;
	struct error error;

	assert_int_equal(http_server_new(f->net, "", f->port, &route, 1, &other, &error),
			 -EADDRINUSE);
	assert_non_null(strstr(error.message, "listen on all addresses"));
	assert_non_null(strstr(error.message, "Address already in use"));
	assert_int_equal(http_server_new(f->net, "1.2.3", 1, &route, 1, &other, &error), -EINVAL);
	assert_null(other);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_answers_routes),
		test(test_answers_head_without_a_body),
		test(test_refuses_other_methods),
		test(test_keeps_connections_alive),
		test(test_sends_large_bodies_whole),
		test(test_packs_large_bodies_for_those_who_take_them),
		test(test_packs_nothing_else),
		test(test_closes_on_garbage),
		test(test_does_not_upgrade),
		test(test_does_not_wait_for_slow_requests),
		test(test_bounds_connections),
		test(test_lets_no_flood_keep_others_out),
		test(test_bounds_what_waits_for_slow_readers),
		test(test_says_why_it_cannot_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
