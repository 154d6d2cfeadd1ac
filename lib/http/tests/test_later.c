// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Requests that are answered later, over TLS, asked by a client in a thread of its own. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "lib/base/log.h"
#include "lib/http/server.h"
#include "operator/pki.h"

#define PATIENCE_MS 20000
#define LARGE	    (3 << 20)

struct fixture {
	uv_loop_t loop;
	uv_timer_t timer; /* wakes the loop, so that conditions are looked at */
	struct net_context *net;
	struct http_server *server;
	struct http_request *request; /* that waits for its answer */
	int port;
};

static void on_request(void *context, struct http_request *request)
{
	((struct fixture *)context)->request = request;
}

static void on_timer(uv_timer_t *timer)
{
	(void)timer;
}

#define run_until(f, condition)                                                                    \
	do {                                                                                       \
		uint64_t end_ = uv_now(&(f)->loop) + PATIENCE_MS;                                  \
		while (!(condition) && uv_now(&(f)->loop) < end_)                                  \
			uv_run(&(f)->loop, UV_RUN_ONCE);                                           \
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
	static const char *const names[] = {"localhost"};
	struct fixture *f = calloc(1, sizeof(*f));
	const struct http_receiver receiver = {"/later", HTTP_JSON, on_request, f};
	struct http_server_settings settings = {
		.address = "127.0.0.1", .receivers = &receiver, .receiver_count = 1};
	struct pki_bundle bundle;
	struct error error = {""};

	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(pki_bundle_make(names, 1, time(NULL), &bundle, NULL), 0);
	uv_loop_init(&f->loop);
	uv_timer_init(&f->loop, &f->timer);
	uv_timer_start(&f->timer, on_timer, 10, 10);
	assert_int_equal(net_context_new(&f->loop, 100, &f->net, &error), 0);
	settings.port = f->port = free_port();
	settings.certificate_pem = bundle.certificate;
	settings.key_pem = bundle.key;
	assert_int_equal(http_server_new_with(f->net, &settings, &f->server, &error), 0);
	pki_bundle_free(&bundle);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_server_free(f->server);
	net_context_free(f->net);
	uv_close((uv_handle_t *)&f->timer, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

/* A client: sends its text, then reads to the end, or leaves at once. */
struct asker {
	pthread_t thread;
	int port;
	const char *text;
	bool leave;
	struct text answer;
	atomic_bool done;
};

static int dial(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? fd : -1;
}

static void talk(struct asker *asker, SSL *tls)
{
	char piece[16384];
	int length;

	SSL_write(tls, asker->text, (int)strlen(asker->text));
	while (!asker->leave && (length = SSL_read(tls, piece, sizeof(piece))) > 0)
		text_append(&asker->answer, piece, (size_t)length);
}

static void *asker_run(void *context)
{
	struct asker *asker = context;
	SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
	SSL *tls = SSL_new(settings);
	int fd = dial(asker->port);

	SSL_set_fd(tls, fd);
	SSL_set_tlsext_host_name(tls, "localhost");
	if (SSL_connect(tls) == 1)
		talk(asker, tls);
	SSL_free(tls);
	SSL_CTX_free(settings);
	close(fd);
	asker->done = true;
	return NULL;
}

static void begin(struct fixture *f, struct asker *asker)
{
	asker->port = f->port;
	assert_int_equal(pthread_create(&asker->thread, NULL, asker_run, asker), 0);
}

static void finish(struct fixture *f, struct asker *asker)
{
	run_until(f, asker->done);
	pthread_join(asker->thread, NULL);
	text_append_string(&asker->answer, "");
}

static void answer(struct fixture *f, int status, const char *words)
{
	struct text body = TEXT_EMPTY;

	text_append_string(&body, words);
	http_request_answer(f->request, status, &body);
	assert_null(body.data);
	f->request = NULL;
}

static void assert_holds(const struct asker *asker, const char *part)
{
	if (!asker->answer.data || !strstr(asker->answer.data, part))
		fail_msg("\"%s\" does not hold \"%s\"",
			 asker->answer.data ? asker->answer.data : "", part);
}

static void test_answers_later(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.text = "GET /later?namespace=shop&x=%C3%BC%20y HTTP/1.1\r\n"
				      "Host: localhost\r\nAuthorization: Bearer abc\r\n"
				      "Connection: close\r\n\r\n"};

	begin(f, &asker);
	run_until(f, f->request);
	assert_string_equal(http_request_authorization(f->request), "Bearer abc");
	assert_int_equal(http_request_query(f->request)->count, 2);
	assert_string_equal(http_request_query(f->request)->items[0], "namespace=shop");
	assert_string_equal(http_request_query(f->request)->items[1], "x=ü y");
	for (int i = 0; i < 20; i++) /* it waits */
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_false(asker.done);
	answer(f, 200, "{}\n");
	finish(f, &asker);
	assert_holds(&asker, "HTTP/1.1 200");
	assert_holds(&asker, "application/json");
	assert_holds(&asker, "\r\n\r\n{}\n");
	text_free(&asker.answer);
}

static void test_says_how_to_log_in(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.text = "GET /later HTTP/1.1\r\nHost: x\r\n"
				      "Connection: close\r\n\r\n"};

	begin(f, &asker);
	run_until(f, f->request);
	assert_string_equal(http_request_authorization(f->request), "");
	assert_int_equal(http_request_query(f->request)->count, 0);
	answer(f, 401, "{\"error\":\"no\"}");
	finish(f, &asker);
	assert_holds(&asker, "HTTP/1.1 401");
	assert_holds(&asker, "www-authenticate: Bearer");
	text_free(&asker.answer);
}

static void test_says_when_to_come_again(void **state)
{
	static const int statuses[] = {429, 503};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		struct asker asker = {.text = "GET /later HTTP/1.1\r\nHost: x\r\n"
					      "Connection: close\r\n\r\n"};

		begin(f, &asker);
		run_until(f, f->request);
		answer(f, statuses[i], "{\"error\":\"later\"}");
		finish(f, &asker);
		assert_holds(&asker, i ? "HTTP/1.1 503" : "HTTP/1.1 429");
		assert_holds(&asker, "retry-after: 1");
		text_free(&asker.answer);
	}
}

/* Two requests on one connection, the first with a body of many pieces. */
static void test_keeps_connections_alive(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.text = "GET /later?a HTTP/1.1\r\nHost: x\r\n\r\n"
				      "GET /later?b HTTP/1.1\r\nHost: x\r\n"
				      "Connection: close\r\n\r\n"};
	struct text body = TEXT_EMPTY;

	for (int i = 0; i < LARGE / 16; i++)
		text_append_format(&body, "%015d\n", i);
	begin(f, &asker);
	run_until(f, f->request);
	http_request_answer(f->request, 200, &body);
	f->request = NULL;
	run_until(f, f->request);
	assert_string_equal(http_request_query(f->request)->items[0], "b");
	answer(f, 200, "second");
	finish(f, &asker);
	assert_true(asker.answer.length > LARGE);
	assert_holds(&asker, "000000000196607\n");
	assert_holds(&asker, "\r\n\r\nsecond");
	text_free(&asker.answer);
}

static void test_lives_with_askers_that_leave(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.text = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n", .leave = true};

	begin(f, &asker);
	run_until(f, f->request);
	finish(f, &asker);
	for (int i = 0; i < 20; i++)
		uv_run(&f->loop, UV_RUN_ONCE);
	answer(f, 200, "nobody is there");
	text_free(&asker.answer);
}

static void test_lives_with_answers_after_its_end(void **state)
{
	struct fixture *f = *state;
	struct asker asker = {.text = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"};

	begin(f, &asker);
	run_until(f, f->request);
	f->server = http_server_free(f->server);
	finish(f, &asker);
	answer(f, 200, "nobody is there");
	assert_null(strstr(asker.answer.data, "nobody"));
	text_free(&asker.answer);
}

static void test_tells_mistakes_as_json(void **state)
{
	static const char *const cases[][2] = {
		{"POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405"},
		{"GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		struct asker asker = {.text = cases[i][0]};

		begin(f, &asker);
		finish(f, &asker);
		assert_holds(&asker, cases[i][1]);
		assert_holds(&asker, "application/json");
		assert_holds(&asker, "{\"error\":\"");
		text_free(&asker.answer);
	}
	assert_null(f->request);
}

static void test_refuses_a_bad_certificate(void **state)
{
	struct fixture *f = *state;
	const struct http_server_settings settings = {
		.address = "127.0.0.1", .certificate_pem = "none", .key_pem = "none"};
	struct http_server *other = NULL;
	struct error error;

	assert_true(http_server_new_with(f->net, &settings, &other, &error) < 0);
	assert_non_null(strstr(error.message, "certificate"));
	assert_null(other);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_answers_later),
		test(test_says_how_to_log_in),
		test(test_says_when_to_come_again),
		test(test_keeps_connections_alive),
		test(test_lives_with_askers_that_leave),
		test(test_lives_with_answers_after_its_end),
		test(test_tells_mistakes_as_json),
		test(test_refuses_a_bad_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
