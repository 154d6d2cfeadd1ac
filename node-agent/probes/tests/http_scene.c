// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Conversations in HTTP, word by word over a real socket whose ends are watched, and what is
 * counted of them. Included by the test, after kernel_fixture.h, network.c and conversation.c.
 */

#include "bpf/http.h"

#define SERVED	       "http_server_request_duration_seconds_count"
#define SERVED_SECONDS "http_server_request_duration_seconds_sum"
#define ASKED	       "http_client_request_duration_seconds_count"
#define ASKED_SECONDS  "http_client_request_duration_seconds_sum"
#define FIRST_SECONDS  "skep_http_first_byte_seconds_sum"
#define REQUEST_BYTES  "skep_http_request_bytes_total"
#define RESPONSE_BYTES "skep_http_response_bytes_total"
#define BY_CLIENT      "skep_http_aborted_by_client_total"
#define BY_SERVER      "skep_http_aborted_by_server_total"
#define CONNECTIONS    "skep_http_connections_total"
#define OPAQUE	       "skep_http_opaque_connections_total"
#define LOST	       "skep_http_lost_total"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static union probe_settings asked_of[ENDS]; /* as its end is watched */

static struct network wire;	/* loses packets when it is told to */
static struct network loopback; /* both ends at one place */

/* A conversation whose ends are watched apart. */
struct scene {
	struct conversation talk;
	struct probe_attachment *attachments[ENDS]; /* NULL: not watched */
};

static struct scene scene; /* of the present test */

static int scenes_setup(void **state)
{
	int result = fixture_setup(state, &http_probe_kind);

	if (result)
		return result;
	network_make(&wire);
	loopback = (struct network){.home = wire.home,
				    .ends = {wire.ends[CLIENT], wire.ends[CLIENT]},
				    .ipv4 = {"127.0.0.1", "127.0.0.1"},
				    .ipv6 = {"::1", "::1"}};
	return 0;
}

static int scenes_teardown(void **state)
{
	network_free(&wire);
	return fixture_teardown(state);
}

/* --- scenes --- */

static void scene_watch(enum end end)
{
	scene.attachments[end] =
		fixture_attach(scene.talk.fixture, scene.talk.cgroups[end], &asked_of[end]);
}

static void scene_unwatch(enum end end)
{
	if (scene.attachments[end])
		fixture_detach(scene.talk.fixture, scene.attachments[end]);
	scene.attachments[end] = NULL;
}

static __attribute__((unused)) void scene_listen(void **state, const struct network *network,
						 enum ip ip)
{
	scene = (struct scene){
		.talk = {.fixture = *state,
			 .network = network,
			 .cgroups = {fixture_cgroup(*state, "/a"), fixture_cgroup(*state, "/b")},
			 .ip = ip,
			 .listener = -1,
			 .ends = {-1, -1}}};
	conversation_listen(&scene.talk);
}

static void scene_hurry(enum end end)
{
	const int yes = 1;

	setsockopt(scene.talk.ends[end], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

static void scene_connect(void)
{
	conversation_connect(&scene.talk);
	scene_hurry(CLIENT);
	scene_hurry(SERVER);
}

/* A connection over `network` of which both ends are watched. */
static __attribute__((unused)) void scene_begin(void **state, const struct network *network,
						enum ip ip)
{
	scene_listen(state, network, ip);
	scene_watch(CLIENT);
	scene_watch(SERVER);
	scene_connect();
}

/*
 * Both ends are watched, and the server has the kernel hold each connection back until the client's
 * first words: they come in the packet that ends the handshake.
 */
static __attribute__((unused)) void scene_defer(void **state, const struct network *network,
						enum ip ip)
{
	const int patience_s = 30;

	scene_listen(state, network, ip);
	assert_return_code(setsockopt(scene.talk.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT,
				      &patience_s, sizeof(patience_s)),
			   errno);
	scene_watch(CLIENT);
	scene_watch(SERVER);
}

static __attribute__((unused)) void scene_disconnect(enum end end)
{
	close(scene.talk.ends[end]);
	scene.talk.ends[end] = -1;
}

/* After each test, also one that failed; what was counted goes as well. */
static __attribute__((unused)) int scene_end(void **state)
{
	struct fixture *fixture = *state;

	memset(asked_of, 0, sizeof(asked_of));
	fixture->pod.namespace = "test";
	network_leave(&wire);
	leave_cgroups(fixture);
	wire.drops[CLIENT]->bss->drop_every = wire.drops[SERVER]->bss->drop_every = 0;
	conversation_close(&scene.talk);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		char *path = fixture->cgroups[--fixture->cgroup_count];

		scene_unwatch(end);
		assert_return_code(rmdir(path), errno);
		free(path);
	}
	while (fixture->owner_count > 0)
		series_owner_free(fixture->owners[--fixture->owner_count].series, 0);
	series_expire(fixture->store, UINT64_MAX);
	return 0;
}

/* --- what is said --- */

static enum end other(enum end end)
{
	return end == CLIENT ? SERVER : CLIENT;
}

static void hear_bytes(enum end at, size_t size)
{
	char buffer[65536];

	while (size > 0) {
		struct pollfd socket = {scene.talk.ends[at], POLLIN, 0};
		ssize_t got;

		assert_true(poll(&socket, 1, CONVERSATION_PATIENCE_MS) > 0);
		got = recv(scene.talk.ends[at], buffer,
			   size < sizeof(buffer) ? size : sizeof(buffer), 0);
		assert_true(got > 0);
		size -= (size_t)got;
	}
}

/* Connects; the client speaks before the server accepts. */
static __attribute__((unused)) void scene_connect_saying(const void *bytes, size_t size)
{
	assert_int_equal(conversation_try(&scene.talk), 0);
	scene_hurry(CLIENT);
	assert_int_equal(send(scene.talk.ends[CLIENT], bytes, size, MSG_NOSIGNAL), size);
	conversation_accept(&scene.talk);
	scene_hurry(SERVER);
	hear_bytes(SERVER, size);
}

static void say_bytes(enum end from, const void *bytes, size_t size)
{
	assert_int_equal(send(scene.talk.ends[from], bytes, size, MSG_NOSIGNAL), size);
	hear_bytes(other(from), size);
}

static void say(enum end from, const char *words)
{
	say_bytes(from, words, strlen(words));
}

/* In packets of `piece` bytes. */
static __attribute__((unused)) void say_pieces(enum end from, const char *words, size_t piece)
{
	for (size_t left = strlen(words); left > 0; words += piece) {
		piece = piece < left ? piece : left;
		say_bytes(from, words, piece);
		left -= piece;
	}
}

static __attribute__((unused)) void exchange(const char *request, const char *response)
{
	say(CLIENT, request);
	say(SERVER, response);
}

/* --- what is counted --- */

/* What is shown now of all ends; to be freed. */
static struct text show_all(void)
{
	struct fixture *fixture = scene.talk.fixture;
	struct text text = TEXT_EMPTY;

	fixture->kind->read(fixture->probe);
	series_write(fixture->store, &text);
	assert_false(text.failed);
	return text;
}

/* The sum of an end's samples of this name that bear these labels (a part of them as text). */
static double told_in(const struct text *text, enum end end, const char *name, const char *labels)
{
	char start[128];
	double sum = 0;

	snprintf(start, sizeof(start), "\n%s{target=\"%s\"", name,
		 fixture_name(scene.talk.fixture, scene.attachments[end]));
	for (const char *found = text->data; found && (found = strstr(found, start)); found++) {
		const char *value = strstr(found, "} "), *match = strstr(found, labels);

		if (match && match < value)
			sum += strtod(value + 2, NULL);
	}
	return sum;
}

/* The same of what is shown now. */
static __attribute__((unused)) double told(enum end end, const char *name, const char *labels)
{
	struct text text = show_all();
	double sum = told_in(&text, end, name, labels);

	text_free(&text);
	return sum;
}

#define assert_told(end, name, labels, expected)                                                   \
	assert_int_equal((long)told(end, name, labels), (long)(expected))

#define KIND(method, status)                                                                       \
	"http_request_method=\"" method "\",http_response_status_code=\"" status "\""

/* As many exchanges of this kind at either end. */
#define assert_exchanged(labels, expected)                                                         \
	do {                                                                                       \
		assert_told(CLIENT, ASKED, labels, expected);                                      \
		assert_told(SERVER, SERVED, labels, expected);                                     \
	} while (0)

#define assert_nothing_odd()                                                                       \
	do {                                                                                       \
		for (enum end end_ = CLIENT; end_ <= SERVER; end_++) {                             \
			assert_told(end_, OPAQUE, "", 0);                                          \
			assert_told(end_, LOST, "", 0);                                            \
			assert_told(end_, BY_CLIENT, "", 0);                                       \
			assert_told(end_, BY_SERVER, "", 0);                                       \
		}                                                                                  \
	} while (0)
