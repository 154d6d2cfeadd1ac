// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Both ends of the link against each other, over loopback and with real TLS. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/link/client.h"
#include "lib/link/peer.h"
#include "lib/link/server.h"
#include "operator/pki.h"

#define NAME	    "skep-operator.skep-system.svc"
#define PATIENCE_MS 20000
#define LAST_WORDS  160

struct fixture {
	uv_loop_t loop;
	uv_timer_t patience;
	bool late;
	struct net_context *net;
	struct link_server *server;
	struct link_client *client;
	struct pki_bundle bundle;
	int port;
	char folder[64], ca_file[96], token_file[96];
	/* What the server saw. */
	struct link_peer *peer;
	char token[64], closed_why[LAST_WORDS];
	unsigned int asked, closed, received;
	size_t last_length, token_length;
	bool refuse, hold, in_order, echo;
	uint64_t tick_ms; /* of the client; 0: as always */
	double last_number;
	/* What the client saw. */
	unsigned int connected, disconnected, answers;
	char why[LAST_WORDS];
};

static void on_authenticate(void *context, struct link_peer *peer, const char *token)
{
	struct fixture *f = context;

	f->peer = peer;
	f->asked++;
	f->token_length = strlen(token);
	snprintf(f->token, sizeof(f->token), "%s", token);
	link_peer_set_data(peer, f);
	assert_non_null(strstr(link_peer_address(peer), "127.0.0.1:"));
	if (f->refuse)
		link_peer_refuse(peer, "this token is of another service account");
	else if (!f->hold)
		link_peer_admit(peer);
}

static void on_message(void *context, struct link_peer *peer, const cJSON *message)
{
	struct fixture *f = context;
	double number = json_integer(message, -1, "number");

	assert_ptr_equal(link_peer_data(peer), f);
	f->in_order &= number == f->last_number + 1;
	f->last_number = number;
	f->last_length = strlen(json_text(message, "text"));
	f->received++;
	if (f->echo)
		assert_int_equal(link_peer_send(peer, cJSON_Duplicate(message, 1)), 0);
}

static void on_closed(void *context, struct link_peer *peer, const char *why)
{
	struct fixture *f = context;

	if (f->peer == peer)
		f->peer = NULL;
	f->closed++;
	snprintf(f->closed_why, sizeof(f->closed_why), "%s", why);
}

static const struct link_server_handlers server_handlers = {
	.authenticate = on_authenticate,
	.message = on_message,
	.closed = on_closed,
};

static void on_connected(void *context)
{
	((struct fixture *)context)->connected++;
}

static void on_answer(void *context, const cJSON *message)
{
	struct fixture *f = context;

	f->answers++;
	f->last_length = strlen(json_text(message, "text"));
}

static void on_disconnected(void *context, const char *why)
{
	struct fixture *f = context;

	f->disconnected++;
	snprintf(f->why, sizeof(f->why), "%s", why);
}

static const struct link_client_handlers client_handlers = {
	.connected = on_connected,
	.message = on_answer,
	.disconnected = on_disconnected,
};

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

static void file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

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

static void server_start(struct fixture *f)
{
	struct error error = {""};
	int result = link_server_new(f->net, "127.0.0.1", f->port, f->bundle.certificate,
				     f->bundle.key, &server_handlers, f, &f->server, &error);

	assert_string_equal(error.message, "");
	assert_int_equal(result, 0);
}

static void client_start_as(struct fixture *f, const char *host, const char *server_name)
{
	const struct link_client_settings settings = {
		.host = host,
		.port = f->port,
		.server_name = server_name,
		.ca_file = f->ca_file,
		.token_file = f->token_file,
		.tick_ms = f->tick_ms,
	};
	struct error error = {""};

	assert_int_equal(
		link_client_new(f->net, &settings, &client_handlers, f, &f->client, &error), 0);
}

static void client_start(struct fixture *f)
{
	client_start_as(f, "127.0.0.1", NAME);
}

static int setup(void **state)
{
	static const char *const names[] = {NAME, "skep-operator"};
	struct fixture *f = calloc(1, sizeof(*f));
	struct error error = {""};

	log_set_level(LOG_LEVEL_ERROR);
	f->in_order = true;
	f->port = free_port();
	snprintf(f->folder, sizeof(f->folder), "/tmp/test-link-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->ca_file, sizeof(f->ca_file), "%s/ca.crt", f->folder);
	snprintf(f->token_file, sizeof(f->token_file), "%s/token", f->folder);
	assert_int_equal(pki_bundle_make(names, 2, time(NULL), &f->bundle, &error), 0);
	file_write(f->ca_file, f->bundle.ca_certificate);
	file_write(f->token_file, "secret-1\n");
	uv_loop_init(&f->loop);
	uv_timer_init(&f->loop, &f->patience);
	f->patience.data = f;
	assert_int_equal(net_context_new(&f->loop, 256, &f->net, &error), 0);
	*state = f;
	return 0;
}

/* All is given back: the loop ends by itself, and closes. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	link_client_free(f->client);
	link_server_free(f->server);
	net_context_free(f->net);
	uv_close((uv_handle_t *)&f->patience, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	unlink(f->ca_file);
	unlink(f->token_file);
	assert_int_equal(rmdir(f->folder), 0);
	pki_bundle_free(&f->bundle);
	free(f);
	return 0;
}

static cJSON *message_make(double number, size_t length)
{
	char *text = malloc(length + 1);
	cJSON *message = cJSON_CreateObject();

	memset(text, 'x', length);
	text[length] = '\0';
	cJSON_AddNumberToObject(message, "number", number);
	cJSON_AddStringToObject(message, "text", text);
	free(text);
	return message;
}

static void test_connects(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	client_start(f);
	assert_false(link_client_is_connected(f->client));
	assert_int_equal(link_client_send(f->client, message_make(1, 1)), -ENOTCONN);
	run_until(f, f->connected && f->asked);
	assert_true(link_client_is_connected(f->client));
	assert_string_equal(f->token, "secret-1");
	assert_int_equal(link_server_stats(f->server).connections, 1);
	assert_int_equal(link_server_stats(f->server).refused, 0);
	f->client = link_client_free(f->client);
	run_until(f, f->closed == 1);
	run_until(f, link_server_stats(f->server).connections == 0);
}

static void test_looks_names_up(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	client_start_as(f, "localhost", "skep-operator");
	run_until(f, f->connected);
}

static void test_carries_messages_both_ways(void **state)
{
	static const size_t lengths[] = {0,	1,     100,   4095,    4096,   16000,
					 16320, 16384, 65536, 1 << 20, 3 << 20};
	const unsigned int count = sizeof(lengths) / sizeof(lengths[0]);
	struct fixture *f = *state;

	f->echo = true;
	server_start(f);
	client_start(f);
	run_until(f, f->connected);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(link_client_send(f->client, message_make(i + 1, lengths[i])), 0);
		run_until(f, f->answers == i + 1);
		assert_int_equal(f->last_length, lengths[i]);
	}
	assert_int_equal(f->received, count);
	assert_true(f->in_order);
}

static void test_keeps_order_under_load(void **state)
{
	struct fixture *f = *state;

	f->echo = true;
	server_start(f);
	client_start(f);
	run_until(f, f->connected);
	for (int i = 1; i <= 2000; i++)
		assert_int_equal(link_client_send(f->client, message_make(i, i % 700)), 0);
	run_until(f, f->answers == 2000);
	assert_true(f->in_order);
}

static void test_says_connection_refused(void **state)
{
	struct fixture *f = *state;

	client_start(f);
	run_until(f, f->disconnected == 3);
	assert_non_null(strstr(f->why, "connect to 127.0.0.1 port"));
	assert_non_null(strstr(f->why, "refused"));
	server_start(f);
	run_until(f, f->connected == 1);
}

static void test_says_unknown_host(void **state)
{
	struct fixture *f = *state;

	client_start_as(f, "no-such-host.invalid", NAME);
	run_until(f, f->disconnected == 1);
	assert_non_null(strstr(f->why, "look up no-such-host.invalid: "));
}

static void test_refuses_another_ca(void **state)
{
	static const char *const names[] = {NAME};
	struct fixture *f = *state;
	struct pki_bundle other;

	assert_int_equal(pki_bundle_make(names, 1, time(NULL), &other, NULL), 0);
	file_write(f->ca_file, other.ca_certificate);
	pki_bundle_free(&other);
	server_start(f);
	client_start(f);
	run_until(f, f->disconnected == 1);
	assert_non_null(strstr(f->why, "the certificate of 127.0.0.1 port"));
	assert_int_equal(f->asked, 0);
	/* The right file at last: it is read again. */
	file_write(f->ca_file, f->bundle.ca_certificate);
	run_until(f, f->connected == 1);
}

static void test_refuses_another_name(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	client_start_as(f, "127.0.0.1", "other.example");
	run_until(f, f->disconnected == 1);
	assert_non_null(strstr(f->why, "hostname mismatch"));
	assert_int_equal(f->asked, 0);
}

static void test_refuses_an_address_for_a_name(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	client_start_as(f, "127.0.0.1", "127.0.0.1");
	run_until(f, f->disconnected == 1);
	assert_int_equal(f->asked, 0);
}

static void test_missing_files_are_tried_again(void **state)
{
	struct fixture *f = *state;

	unlink(f->token_file);
	server_start(f);
	client_start(f);
	run_until(f, f->disconnected == 1);
	assert_non_null(strstr(f->why, "read token file"));
	file_write(f->token_file, "   \n");
	run_until(f, f->disconnected == 2);
	assert_non_null(strstr(f->why, "holds no token"));
	unlink(f->ca_file);
	run_until(f, f->disconnected == 3);
	assert_non_null(strstr(f->why, "read CA file"));
	file_write(f->ca_file, "nonsense");
	run_until(f, f->disconnected == 4);
	assert_non_null(strstr(f->why, "holds no certificate"));
	file_write(f->ca_file, f->bundle.ca_certificate);
	file_write(f->token_file, "late");
	run_until(f, f->connected == 1 && f->asked);
	assert_string_equal(f->token, "late");
}

static void test_bounds_tokens(void **state)
{
	struct fixture *f = *state;
	char token[7001];

	memset(token, 'x', sizeof(token));
	token[7000] = '\0';
	file_write(f->token_file, token);
	server_start(f);
	client_start(f);
	run_until(f, f->disconnected == 1);
	assert_non_null(strstr(f->why, "larger than"));
	token[6000] = '\0';
	file_write(f->token_file, token);
	run_until(f, f->connected == 1 && f->asked == 1);
	assert_int_equal(f->token_length, 6000);
}

static void test_tells_why_it_refuses(void **state)
{
	struct fixture *f = *state;

	f->refuse = true;
	server_start(f);
	client_start(f);
	run_until(f, f->disconnected == 1);
	assert_non_null(strstr(f->why, "this token is of another service account"));
	run_until(f, f->closed == 1);
	assert_string_equal(f->closed_why, "this token is of another service account");
	assert_int_equal(link_server_stats(f->server).refused, 1);
	file_write(f->token_file, "secret-2");
	f->refuse = false;
	run_until(f, f->asked == 2 && f->peer);
	assert_string_equal(f->token, "secret-2");
}

static void test_admits_later(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	server_start(f);
	client_start(f);
	run_until(f, f->connected && f->asked);
	for (int i = 1; i <= 3; i++)
		link_client_send(f->client, message_make(i, 10));
	assert_int_equal(link_peer_send(f->peer, message_make(1, 1)), -ENOTCONN);
	for (int i = 0; i < 50; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(f->received, 0);
	link_peer_admit(f->peer);
	run_until(f, f->received == 3);
	assert_true(f->in_order);
}

/* From outside of any callback of the connection, as an answer from the API server would. */
static void test_refuses_later(void **state)
{
	struct fixture *f = *state;
	uint64_t start;

	f->hold = true;
	server_start(f);
	client_start(f);
	run_until(f, f->connected && f->asked);
	start = uv_now(&f->loop);
	run_until(f, uv_now(&f->loop) - start > 300);
	start = uv_hrtime();
	link_peer_refuse(f->peer, "not found by TokenReview");
	run_until(f, f->disconnected == 1 && f->closed == 1);
	assert_in_range(uv_hrtime() - start, 0, 500000000);
	assert_non_null(strstr(f->why, "not found by TokenReview"));
	run_until(f, f->asked == 2);
	start = uv_hrtime();
	f->client = link_client_free(f->client);
	run_until(f, f->closed == 2);
	assert_in_range(uv_hrtime() - start, 0, 500000000);
}

static void test_comes_back_to_a_restarted_server(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	client_start(f);
	run_until(f, f->connected == 1 && f->peer);
	f->server = link_server_free(f->server);
	assert_int_equal(f->closed, 1);
	run_until(f, f->disconnected >= 1);
	file_write(f->token_file, "rotated");
	server_start(f);
	run_until(f, f->connected == 2 && f->peer);
	assert_string_equal(f->token, "rotated");
}

/* A peer made by hand: sends what it is told, blocking, in a thread of its own. */
struct raw_peer {
	pthread_t thread;
	int port;
	bool tls;
	struct text request;
	char answer[8192];
	size_t answer_length;
	atomic_bool done;
};

/* From 127.0.0.`from`. */
static int raw_connect_from(int port, uint32_t from)
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

static int raw_connect(int port)
{
	return raw_connect_from(port, 1);
}

/* The code of the close frame that ends the answer, which comes after the HTTP headers. */
static int raw_close_code(const struct raw_peer *raw)
{
	const char *end = memmem(raw->answer, raw->answer_length, "\r\n\r\n", 4);
	const unsigned char *frame = (const unsigned char *)end + 4;

	if (!end || (size_t)((const char *)frame - raw->answer) + 4 > raw->answer_length ||
	    frame[0] != 0x88 || frame[1] < 2)
		return -1;
	return frame[2] << 8 | frame[3];
}

static void raw_exchange_tls(struct raw_peer *raw, int fd)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *tls = SSL_new(context);
	int count = 0;

	SSL_set_fd(tls, fd);
	if (SSL_connect(tls) == 1 && raw->request.length)
		SSL_write(tls, raw->request.data, (int)raw->request.length);
	do {
		count = SSL_read(tls, raw->answer + raw->answer_length,
				 (int)(sizeof(raw->answer) - 1 - raw->answer_length));
		raw->answer_length += count > 0 ? (size_t)count : 0;
	} while (count > 0 && raw_close_code(raw) < 0);
	SSL_free(tls);
	SSL_CTX_free(context);
}

static void raw_exchange_plain(struct raw_peer *raw, int fd)
{
	ssize_t count = 0;

	if (raw->request.length)
		(void)!write(fd, raw->request.data, raw->request.length);
	do {
		raw->answer_length += (size_t)count;
		count = read(fd, raw->answer + raw->answer_length,
			     sizeof(raw->answer) - 1 - raw->answer_length);
	} while (count > 0);
}

static void *raw_run(void *context)
{
	struct raw_peer *raw = context;
	int fd = raw_connect(raw->port);

	if (raw->tls)
		raw_exchange_tls(raw, fd);
	else
		raw_exchange_plain(raw, fd);
	close(fd);
	atomic_store(&raw->done, true);
	return NULL;
}

static void raw_start(struct fixture *f, struct raw_peer *raw)
{
	raw->port = f->port;
	assert_int_equal(pthread_create(&raw->thread, NULL, raw_run, raw), 0);
}

static void raw_wait(struct fixture *f, struct raw_peer *raw)
{
	run_until(f, atomic_load(&raw->done));
	pthread_join(raw->thread, NULL);
	text_free(&raw->request);
}

static void raw_upgrade(struct raw_peer *raw, const char *path, const char *more)
{
	text_append_format(&raw->request,
			   "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
			   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
			   path, more);
}

static void raw_upgrade_well(struct raw_peer *raw)
{
	raw_upgrade(raw, "/v1/agents",
		    "Sec-WebSocket-Protocol: skep.v1\r\nAuthorization: Bearer by-hand\r\n");
}

/* A frame masked with zeros, whose header claims `claim` bytes (RFC 6455, 5.2). */
static void raw_frame(struct raw_peer *raw, uint8_t first, uint64_t claim, const char *data,
		      size_t length)
{
	unsigned char header[14] = {first, (unsigned char)(0x80 | (claim < 126 ? claim : 127))};

	for (int i = 0; i < 8 && claim >= 126; i++)
		header[2 + i] = (unsigned char)(claim >> (56 - 8 * i));
	text_append(&raw->request, (char *)header, claim < 126 ? 6 : sizeof(header));
	text_append(&raw->request, data, length);
}

static void raw_text(struct raw_peer *raw, const char *text)
{
	raw_frame(raw, 0x81, strlen(text), text, strlen(text));
}

/* Sends one upgrade and what `fill` adds, and returns the code of the close frame. */
static int raw_provoke(struct fixture *f, void (*fill)(struct raw_peer *raw))
{
	struct raw_peer raw = {.tls = true};

	if (!f->server)
		server_start(f);
	raw_upgrade_well(&raw);
	fill(&raw);
	raw_start(f, &raw);
	raw_wait(f, &raw);
	assert_int_equal(f->asked, 1);
	run_until(f, f->closed == 1);
	return raw_close_code(&raw);
}

static void test_closes_on_garbage(void **state)
{
	struct fixture *f = *state;
	struct raw_peer raw = {0};

	server_start(f);
	for (int i = 0; i < 3000; i++)
		text_append_string(&raw.request, "garbage! ");
	raw_start(f, &raw);
	raw_wait(f, &raw);
	run_until(f, link_server_stats(f->server).connections == 0);
	assert_int_equal(f->asked + f->closed, 0);
}

static void test_answers_http(void **state)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
		{"GET /v1/agents HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426"},
		{"POST /v1/agents HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 4"},
	};
	struct fixture *f = *state;

	server_start(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw_peer raw = {.tls = true};

		text_append_string(&raw.request, cases[i].request);
		raw_start(f, &raw);
		raw_wait(f, &raw);
		assert_memory_equal(raw.answer, cases[i].answer, strlen(cases[i].answer));
	}
	run_until(f, link_server_stats(f->server).connections == 0);
	assert_int_equal(f->asked, 0);
}

static void test_knows_its_path_and_protocol(void **state)
{
	static const struct {
		const char *path, *more;
	} cases[] = {
		{"/", "Sec-WebSocket-Protocol: skep.v1\r\n"},
		{"/v1/agents/x", "Sec-WebSocket-Protocol: skep.v1\r\n"},
		{"/v1/agents", ""},
		{"/v1/agents", "Sec-WebSocket-Protocol: chat\r\n"},
	};
	struct fixture *f = *state;

	server_start(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw_peer raw = {.tls = true};

		raw_upgrade(&raw, cases[i].path, cases[i].more);
		raw_start(f, &raw);
		raw_wait(f, &raw);
		assert_null(memmem(raw.answer, raw.answer_length, " 101 ", 5));
	}
	assert_int_equal(f->asked, 0);
}

static void test_gives_an_empty_token(void **state)
{
	struct fixture *f = *state;
	struct raw_peer raw = {.tls = true};

	f->refuse = true;
	server_start(f);
	raw_upgrade(&raw, "/v1/agents", "Sec-WebSocket-Protocol: skep.v1\r\n");
	raw_start(f, &raw);
	raw_wait(f, &raw);
	assert_int_equal(f->asked, 1);
	assert_string_equal(f->token, "");
	assert_int_equal(raw_close_code(&raw), 1008);
}

static void fill_huge_claim(struct raw_peer *raw)
{
	raw_frame(raw, 0x81, 100 << 20, "{\"a\":1", 6);
}

static void test_refuses_a_huge_claim(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(raw_provoke(f, fill_huge_claim), 1009);
	assert_int_equal(link_server_stats(f->server).bad_messages, 1);
	assert_string_equal(f->closed_why, "message too long");
}

static void fill_long_fragments(struct raw_peer *raw)
{
	static char piece[60000];

	memset(piece, ' ', sizeof(piece));
	for (int i = 0; i < 80; i++)
		raw_frame(raw, i ? 0x00 : 0x01, sizeof(piece), piece, sizeof(piece));
}

static void test_refuses_endless_fragments(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(raw_provoke(f, fill_long_fragments), 1009);
}

static void fill_binary(struct raw_peer *raw)
{
	raw_frame(raw, 0x82, 2, "{}", 2);
}

static void test_refuses_binary(void **state)
{
	assert_int_equal(raw_provoke(*state, fill_binary), 1003);
}

static void fill_no_json(struct raw_peer *raw)
{
	raw_text(raw, "{\"number\":");
}

static void test_refuses_what_is_no_json(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(raw_provoke(f, fill_no_json), 1007);
	assert_int_equal(link_server_stats(f->server).bad_messages, 1);
	assert_int_equal(f->received, 0);
}

static void fill_array(struct raw_peer *raw)
{
	raw_text(raw, "[1]");
}

static void test_refuses_what_is_no_object(void **state)
{
	assert_int_equal(raw_provoke(*state, fill_array), 1007);
}

static void fill_early_flood(struct raw_peer *raw)
{
	char text[1200] = "{}";

	memset(text + 2, ' ', sizeof(text) - 3);
	for (int i = 0; i < 70; i++)
		raw_text(raw, text);
}

static void test_bounds_what_strangers_send(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	assert_int_equal(raw_provoke(f, fill_early_flood), 1009);
	assert_int_equal(f->received, 0);
}

static void fill_fragments_then_close(struct raw_peer *raw)
{
	raw_frame(raw, 0x01, 5, "{\"num", 5);
	raw_frame(raw, 0x89, 2, "hi", 2);
	raw_frame(raw, 0x00, 0, "", 0);
	raw_frame(raw, 0x00, 3, "ber", 3);
	raw_frame(raw, 0x80, 4, "\":1}", 4);
	raw_text(raw, "{\"number\":2}");
	raw_frame(raw, 0x88, 5,
		  "\x03\xe8"
		  "by\n",
		  5);
}

static void test_joins_fragments(void **state)
{
	struct fixture *f = *state;

	raw_provoke(f, fill_fragments_then_close);
	assert_int_equal(f->received, 2);
	assert_true(f->in_order);
	assert_string_equal(f->closed_why, "by?");
}

static void test_does_not_wait_for_strangers(void **state)
{
	struct fixture *f = *state;
	struct raw_peer tls = {.tls = true}, plain = {0};
	struct raw_peer waiting = {.tls = true};
	int crowd[LINK_STRANGER_LIMIT];

	f->hold = true;
	server_start(f);
	raw_upgrade_well(&waiting);
	raw_start(f, &tls);
	raw_start(f, &plain);
	raw_start(f, &waiting);
	run_until(f, f->asked == 1 && link_server_stats(f->server).connections == 3);
	for (int i = 0; i < LINK_STRANGER_LIMIT; i++)
		crowd[i] = raw_connect(f->port);
	/* The last three are one too many each. */
	run_until(f, link_server_stats(f->server).refused == 3);
	assert_int_equal(link_server_stats(f->server).connections, LINK_STRANGER_LIMIT);
	for (int i = 0; i < LINK_STRANGER_LIMIT; i++)
		close(crowd[i]);
	raw_wait(f, &tls);
	raw_wait(f, &plain);
	raw_wait(f, &waiting);
	assert_int_equal(raw_close_code(&waiting), 1008);
	run_until(f, link_server_stats(f->server).connections == 0);
	assert_int_equal(f->closed, 1);
	assert_int_equal(link_server_stats(f->server).refused, 6);
}

/* A flood from one address that comes back again and again: an agent from another one comes in. */
static void test_lets_no_flood_keep_others_out(void **state)
{
	struct fixture *f = *state;
	int crowd[2 * LINK_STRANGER_LIMIT];

	server_start(f);
	for (int i = 0; i < LINK_STRANGER_LIMIT; i++)
		crowd[i] = raw_connect_from(f->port, 2);
	run_until(f, link_server_stats(f->server).connections == LINK_STRANGER_LIMIT);
	client_start(f);
	for (int i = LINK_STRANGER_LIMIT; i < 2 * LINK_STRANGER_LIMIT; i++)
		crowd[i] = raw_connect_from(f->port, 2);
	run_until(f, f->connected == 1 && f->asked == 1);
	run_until(f, link_server_stats(f->server).refused >= LINK_STRANGER_LIMIT);
	assert_int_equal(f->disconnected, 0);
	for (int i = 0; i < 2 * LINK_STRANGER_LIMIT; i++)
		close(crowd[i]);
	run_until(f, link_server_stats(f->server).connections == 1);
}

static void test_cuts_off_who_does_not_read(void **state)
{
	struct fixture *f = *state;
	int fd, result = 0;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *tls = SSL_new(context);
	struct raw_peer request = {0};

	server_start(f);
	raw_upgrade_well(&request);
	fd = raw_connect(f->port);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	SSL_set_fd(tls, fd);
	run_until(f, SSL_connect(tls) == 1);
	SSL_write(tls, request.request.data, (int)request.request.length);
	run_until(f, f->peer);
	for (int i = 0; i < 100 && result == 0; i++) {
		result = link_peer_send(f->peer, message_make(i, 1 << 20));
		uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(result, -ENOBUFS);
	run_until(f, f->closed == 1);
	assert_string_equal(f->closed_why, "it does not read what it is sent");
	text_free(&request.request);
	SSL_free(tls);
	SSL_CTX_free(context);
	close(fd);
}

static void on_message_free(void *context, struct link_peer *peer, const cJSON *message)
{
	struct fixture *f = context;

	(void)peer;
	f->received++;
	assert_non_null(message);
	f->server = link_server_free(f->server);
}

static void on_answer_free(void *context, const cJSON *message)
{
	struct fixture *f = context;

	f->client = link_client_free(f->client);
	f->answers += json_integer(message, 0, "number") == 7;
}

static void test_frees_in_a_handler(void **state)
{
	struct link_server_handlers handlers = server_handlers;
	struct link_client_handlers theirs = client_handlers;
	struct fixture *f = *state;
	const struct link_client_settings settings = {.host = "127.0.0.1",
						      .port = f->port,
						      .server_name = NAME,
						      .ca_file = f->ca_file,
						      .token_file = f->token_file};

	handlers.message = on_message_free;
	theirs.message = on_answer_free;
	assert_int_equal(link_server_new(f->net, "127.0.0.1", f->port, f->bundle.certificate,
					 f->bundle.key, &handlers, f, &f->server, NULL),
			 0);
	assert_int_equal(link_client_new(f->net, &settings, &theirs, f, &f->client, NULL), 0);
	run_until(f, f->connected == 1 && f->peer);
	link_client_send(f->client, message_make(1, 10));
	run_until(f, f->received == 1);
	assert_null(f->server);
	assert_int_equal(f->closed, 1);
	server_start(f);
	run_until(f, f->connected == 2 && f->peer);
	link_peer_send(f->peer, message_make(7, 10));
	run_until(f, f->answers == 1);
	assert_null(f->client);
	run_until(f, f->closed == 2);
}

static void test_says_what_is_wrong_with_settings(void **state)
{
	struct fixture *f = *state;
	struct link_server *other = NULL;
	struct error error;

	server_start(f);
	assert_int_equal(link_server_new(f->net, "127.0.0.1", f->port, f->bundle.certificate,
					 f->bundle.key, &server_handlers, f, &other, &error),
			 -EADDRINUSE);
	assert_non_null(strstr(error.message, "Address already in use"));
	assert_int_equal(link_server_new(f->net, "", 0, "nonsense", f->bundle.key, &server_handlers,
					 f, &other, &error),
			 -EINVAL);
	assert_non_null(strstr(error.message, "certificate"));
	assert_int_equal(link_server_new(f->net, "", 0, f->bundle.certificate, f->bundle.ca_key,
					 &server_handlers, f, &other, &error),
			 -EINVAL);
	assert_non_null(strstr(error.message, "key"));
	assert_int_equal(link_server_new(f->net, "nowhere", 0, f->bundle.certificate, f->bundle.key,
					 &server_handlers, f, &other, &error),
			 -EINVAL);
	assert_null(other);
}

/* A way between the two that passes on what comes, or nothing any more. */
struct relay {
	pthread_t thread;
	int listener, to_port, port;
	atomic_bool blocked, over;
};

static bool relay_pass(struct relay *relay, int from, int to)
{
	char bytes[4096];
	ssize_t count;

	if (atomic_load(&relay->blocked))
		return usleep(1000) == 0;
	count = read(from, bytes, sizeof(bytes));
	return count > 0 && write(to, bytes, (size_t)count) == count;
}

/* One connection after the other. */
static void *relay_run(void *context)
{
	struct relay *relay = context;

	while (!atomic_load(&relay->over)) {
		struct pollfd ends[3] = {{.fd = relay->listener, .events = POLLIN}};
		bool open = poll(ends, 1, 10) > 0;

		if (!open)
			continue;
		ends[1] = (struct pollfd){.fd = accept(relay->listener, NULL, NULL),
					  .events = POLLIN};
		ends[2] = (struct pollfd){.fd = raw_connect(relay->to_port), .events = POLLIN};
		while (open && !atomic_load(&relay->over)) {
			if (poll(&ends[1], 2, 10) <= 0)
				continue;
			if (ends[1].revents)
				open = relay_pass(relay, ends[1].fd, ends[2].fd);
			if (open && ends[2].revents)
				open = relay_pass(relay, ends[2].fd, ends[1].fd);
		}
		close(ends[1].fd);
		close(ends[2].fd);
	}
	return NULL;
}

/* Puts itself between: who connects to the fixture's port from now on comes to the relay. */
static void relay_start(struct fixture *f, struct relay *relay)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	relay->to_port = f->port;
	relay->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(relay->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(relay->listener, 8), 0);
	assert_int_equal(getsockname(relay->listener, (struct sockaddr *)&address, &size), 0);
	f->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&relay->thread, NULL, relay_run, relay), 0);
}

static void relay_stop(struct relay *relay)
{
	atomic_store(&relay->over, true);
	pthread_join(relay->thread, NULL);
	close(relay->listener);
}

static void wait_ms(struct fixture *f, uint64_t ms)
{
	uint64_t start = uv_now(&f->loop);

	run_until(f, uv_now(&f->loop) - start > ms);
}

static void test_pings_are_answered(void **state)
{
	struct fixture *f = *state;

	f->tick_ms = 50;
	server_start(f);
	client_start(f);
	run_until(f, f->connected == 1);
	wait_ms(f, 2 * LINK_BUSY_TICKS * f->tick_ms);
	assert_int_equal(f->disconnected, 0);
}

static void test_a_silent_operator_is_left(void **state)
{
	struct fixture *f = *state;
	struct relay relay = {0};

	f->tick_ms = 50;
	server_start(f);
	relay_start(f, &relay);
	client_start(f);
	run_until(f, f->connected == 1);
	atomic_store(&relay.blocked, true);
	run_until(f, f->disconnected >= 1);
	assert_string_equal(f->why, "the operator has been silent for too long");
	atomic_store(&relay.blocked, false);
	run_until(f, f->connected == 2);
	relay_stop(&relay);
}

/* This process did not come to read, nor to anything else: nobody was silent. */
static void test_who_was_held_up_cuts_nobody(void **state)
{
	struct fixture *f = *state;

	f->tick_ms = 50;
	server_start(f);
	client_start(f);
	run_until(f, f->connected == 1);
	for (int i = 0; i < 3; i++) {
		usleep(2 * LINK_BUSY_TICKS * 50 * 1000);
		wait_ms(f, f->tick_ms);
	}
	assert_int_equal(f->disconnected, 0);
}

static void test_a_silent_agent_is_cut(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	link_server_set_silence(f->server, 100);
	f->tick_ms = PATIENCE_MS; /* it pings nobody within the test */
	client_start(f);
	run_until(f, f->closed >= 1);
	assert_string_equal(f->closed_why, "it has been silent for too long");
	run_until(f, f->disconnected >= 1);
}

static void test_an_agent_that_pings_stays(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	link_server_set_silence(f->server, 4000);
	f->tick_ms = 20;
	client_start(f);
	run_until(f, f->connected == 1);
	wait_ms(f, 11000); /* two looks at who is silent */
	assert_int_equal(f->closed + f->disconnected, 0);
}

/* Who is told something all the time, and has nothing to say. */
static void test_an_agent_that_listens_stays(void **state)
{
	struct fixture *f = *state;

	server_start(f);
	link_server_set_silence(f->server, 4000);
	f->tick_ms = 200;
	client_start(f);
	run_until(f, f->connected == 1);
	for (int i = 0; i < 110; i++) { /* two looks at who is silent */
		if (f->peer)
			link_peer_send(f->peer, cJSON_CreateObject());
		wait_ms(f, 100);
	}
	assert_int_equal(f->closed + f->disconnected, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A listener whose queue is full: the kernel drops what comes, as nobody's address does. */
static void test_gives_up_what_does_not_answer(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)f->port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[3], on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 0), 0);
	for (int i = 0; i < 3; i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(waiting[i], (struct sockaddr *)&address, sizeof(address));
	}
	client_start(f);
	run_until(f, f->disconnected == 1);
	assert_non_null(strstr(f->why, "no answer within 3 s"));
	for (int i = 0; i < 3; i++)
		close(waiting[i]);
	close(listener);
	server_start(f);
	run_until(f, f->connected == 1);
}

/* Who is connected stays; who comes sees the new certificate, by a CA that came beside the old. */
static void test_changes_its_certificate(void **state)
{
	static const char *const names[] = {NAME};
	struct fixture *f = *state;
	struct pki_bundle next;
	struct error error = {""};

	f->echo = true;
	server_start(f);
	client_start(f);
	run_until(f, f->connected == 1);
	assert_int_equal(pki_bundle_make(names, 1, time(NULL), &next, &error), 0);
	assert_int_equal(link_server_set_certificate(f->server, next.certificate, next.key, &error),
			 0);
	assert_int_equal(link_client_send(f->client, message_make(1, 10)), 0);
	run_until(f, f->answers == 1);
	assert_int_equal(f->disconnected, 0);
	f->client = link_client_free(f->client);
	run_until(f, link_server_stats(f->server).connections == 0);
	client_start(f);
	run_until(f, f->disconnected == 1); /* who has not heard of the new CA */
	assert_non_null(strstr(f->why, "certificate"));
	file_write(f->ca_file, next.ca_certificate);
	run_until(f, f->connected == 2);
	/* What does not belong together changes nothing. */
	assert_true(link_server_set_certificate(f->server, f->bundle.certificate, next.key,
						&error) < 0);
	assert_true(link_server_set_certificate(f->server, "nonsense", next.key, &error) < 0);
	f->client = link_client_free(f->client);
	client_start(f);
	run_until(f, f->connected == 3);
	pki_bundle_free(&next);
}

static void test_is_suspended_and_resumed(void **state)
{
	struct fixture *f = *state;
	struct error error = {""};

	server_start(f);
	client_start(f);
	run_until(f, f->connected == 1 && f->asked == 1);
	link_server_suspend(f->server, "another leads");
	assert_int_equal(f->closed, 1);
	assert_string_equal(f->closed_why, "another leads");
	run_until(f, f->disconnected >= 2);
	assert_non_null(strstr(f->why, "refused"));
	assert_int_equal(link_server_resume(f->server, &error), 0);
	run_until(f, f->connected == 2 && f->asked == 2);
	link_server_suspend(f->server, "another leads");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_connects),
		test(test_looks_names_up),
		test(test_carries_messages_both_ways),
		test(test_keeps_order_under_load),
		test(test_says_connection_refused),
		test(test_says_unknown_host),
		test(test_refuses_another_ca),
		test(test_refuses_another_name),
		test(test_refuses_an_address_for_a_name),
		test(test_missing_files_are_tried_again),
		test(test_bounds_tokens),
		test(test_tells_why_it_refuses),
		test(test_admits_later),
		test(test_refuses_later),
		test(test_comes_back_to_a_restarted_server),
		test(test_closes_on_garbage),
		test(test_answers_http),
		test(test_knows_its_path_and_protocol),
		test(test_gives_an_empty_token),
		test(test_refuses_a_huge_claim),
		test(test_refuses_endless_fragments),
		test(test_refuses_binary),
		test(test_refuses_what_is_no_json),
		test(test_refuses_what_is_no_object),
		test(test_bounds_what_strangers_send),
		test(test_joins_fragments),
		test(test_does_not_wait_for_strangers),
		test(test_lets_no_flood_keep_others_out),
		test(test_pings_are_answered),
		test(test_a_silent_operator_is_left),
		test(test_who_was_held_up_cuts_nobody),
		test(test_a_silent_agent_is_cut),
		test(test_an_agent_that_pings_stays),
		test(test_an_agent_that_listens_stays),
		test(test_cuts_off_who_does_not_read),
		test(test_frees_in_a_handler),
		test(test_says_what_is_wrong_with_settings),
		test(test_gives_up_what_does_not_answer),
		test(test_changes_its_certificate),
		test(test_is_suspended_and_resumed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
