// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Malformed HTTP over real sockets, both ends watched: nothing is counted as a success that was
 * none, and connections that follow are counted as ever.
 */

#include "node-agent/probes/tests/kernel_fixture.h"

#include <limits.h>

#include "node-agent/probes/tests/network.c"

#include "node-agent/probes/tests/conversation.c"
#include "node-agent/probes/tests/http_scene.c"

#define BAD   "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
#define ERROR "HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n"
#define POST  "POST / HTTP/1.1\r\nHost: a\r\n"
#define TURNS 4

struct bytes {
	const char *data;
	size_t size;
};

#define BYTES(words)                                                                               \
	{                                                                                          \
		words, sizeof(words) - 1                                                           \
	}

/* What client and server say in turn; then the server closes. */
struct malformed {
	const char *what;
	struct bytes turns[TURNS];
	int least; /* exchanges that succeeded, as a reader may see it */
	int most;
};

/* Answered to a plain GET. */
#define RESPONSE(what, response, least, most)                                                      \
	{                                                                                          \
		what, {BYTES(GET), BYTES(response)}, least, most                                   \
	}
/* With these lines of a head and a body, answered by one response; what follows fails. */
#define REQUEST(what, request)                                                                     \
	{                                                                                          \
		what, {BYTES(POST request), BYTES(OK), BYTES(GET), BYTES(ERROR)}, 1, 1             \
	}

#define SMUGGLED  "GET /smuggled HTTP/1.1\r\n\r\n"
#define FINE	  "HTTP/1.1 200 OK\r\n"
#define IN_CHUNKS FINE "Transfer-Encoding: chunked\r\n\r\n"

static const struct malformed corpus[] = {
	/* Where the body of a request ends is not clear. */
	REQUEST("both lengths",
		"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED),
	REQUEST("both lengths, the other way round",
		"Transfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n0\r\n\r\n" SMUGGLED),
	REQUEST("two lengths", "Content-Length: 5\r\nContent-Length: 30\r\n\r\nhello" SMUGGLED),
	REQUEST("two lengths the same", "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
	REQUEST("a list of lengths", "Content-Length: 5, 5\r\n\r\nhello"),
	REQUEST("a length below 0", "Content-Length: -5\r\n\r\nhello"),
	REQUEST("a length with a sign", "Content-Length: +5\r\n\r\nhello"),
	REQUEST("a length in hexadecimal", "Content-Length: 0x5\r\n\r\nhello"),
	REQUEST("no length behind the colon", "Content-Length:\r\n\r\nhello"),
	REQUEST("a length of letters", "Content-Length: five\r\n\r\nhello"),
	REQUEST("a blank before the colon", "Content-Length : 5\r\n\r\nhello"),
	REQUEST("a length of 20 digits", "Content-Length: 99999999999999999999\r\n\r\nhello"),
	REQUEST("a length of 300 digits",
		"Content-Length: 000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000005"
		"\r\n\r\nhello"),
	REQUEST("a coding that is none",
		"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	REQUEST("a blank before the colon of a coding",
		"Transfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	REQUEST("a tab before the coding",
		"Transfer-Encoding:\tchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	REQUEST("a coding with a control character", "Transfer-Encoding: \x0b"
						     "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	REQUEST("a coding behind chunked",
		"Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	REQUEST("a coding in capitals",
		"TRANSFER-ENCODING: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	REQUEST("two codings", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"
			       "5\r\nhello\r\n0\r\n\r\n"),
	REQUEST("a coding in a line that goes on",
		"Transfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	REQUEST("a chunk's size that is none",
		"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n"),
	REQUEST("a chunk's size that overflows",
		"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"),

	/* Requests that are none. */
	{"HTTP/0.9", {BYTES("GET /\r\n"), BYTES("<html>hello</html>")}, 0, 0},
	{"no version", {BYTES("GET / \r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"a version to come", {BYTES("GET / HTTP/3.0\r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"letters", {BYTES("gibberish\r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"blanks before the method", {BYTES("   GET / HTTP/1.1\r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"NULs before the method", {BYTES("\0\0\0GET / HTTP/1.1\r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"NULs in the path", {BYTES("GET /\0\0 HTTP/1.1\r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"NULs in a header", {BYTES("GET / HTTP/1.1\r\n\0: \0\r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"a header without a name", {BYTES("GET / HTTP/1.1\r\n: a\r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"a header without a colon", {BYTES("GET / HTTP/1.1\r\nabc\r\n\r\n"), BYTES(BAD)}, 0, 0},
	{"a head that never ends", {BYTES("GET / HTTP/1.1\r\nHost: a\r\n"), BYTES(BAD)}, 0, 0},
	{"lines that end in CR", {BYTES("GET / HTTP/1.1\rHost: a\r\r"), BYTES(BAD)}, 0, 0},
	{"lines that end in LF", {BYTES("GET / HTTP/1.1\nHost: a\n\n"), BYTES(OK)}, 1, 1},
	{"HTTP/2",
	 {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), BYTES("\0\0\0\4\1\0\0\0\0")},
	 0,
	 0},
	{"HTTP/2 in HTTP/1",
	 {BYTES(GET "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), BYTES(OK BAD)},
	 1,
	 1},

	/* Status lines that are none. */
	RESPONSE("status 000", "HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("status 099", "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("status 999", "HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("four digits", "HTTP/1.1 0200 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("a sign", "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("an exponent", "HTTP/1.1 2e2 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("no blank behind it", "HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("a tab before it", "HTTP/1.1\t200 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("a NUL in it", "HTTP/1.1 2\0000 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("version 1.10", "HTTP/1.10 200 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("version 11", "HTTP/11 200 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("a small version", "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("another protocol", "ICY 200 OK\r\n\r\n", 0, 0),
	RESPONSE("blanks before it", "  HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, 0),
	RESPONSE("a body only", "<html>200 OK</html>", 0, 0),
	RESPONSE("nothing", "", 0, 0),
	RESPONSE("lines that end in CR", FINE "Content-Length: 0\r\r", 0, 0),
	RESPONSE("lines that end in CR only", "HTTP/1.1 200 OK\rContent-Length: 0\r\r", 0, 0),
	RESPONSE("lines that end in LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 1, 1),
	RESPONSE("NULs in a header", FINE "X: \0\0\r\nContent-Length: 2\r\n\r\nok", 1, 1),

	/* Responses that end early. */
	RESPONSE("a line cut off", "HTTP/1.1 200", 0, 0),
	RESPONSE("a head cut off", FINE "Content-Le", 0, 0),
	RESPONSE("a body cut off", FINE "Content-Length: 10\r\n\r\nhello", 0, 0),
	RESPONSE("a length that nobody can send",
		 FINE "Content-Length: 9223372036854775807\r\n\r\nhello", 0, 0),
	RESPONSE("chunks cut off", IN_CHUNKS "5\r\nhello\r\n", 0, 0),
	RESPONSE("a chunk's size cut off", IN_CHUNKS "5", 0, 0),
	RESPONSE("trailers cut off", IN_CHUNKS "0\r\nX: a\r\n", 0, 0),
	RESPONSE("interim responses only",
		 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n", 0, 0),

	/* Bodies whose end is not clear. */
	RESPONSE("two lengths", FINE "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", 1, 1),
	RESPONSE("two lengths that differ", FINE "Content-Length: 2\r\nContent-Length: 9\r\n\r\nok",
		 0, 1),
	RESPONSE("a length below 0", FINE "Content-Length: -1\r\n\r\nhello", 0, 1),
	RESPONSE("a length of 20 digits", FINE "Content-Length: 18446744073709551615\r\n\r\nhello",
		 0, 1),
	RESPONSE("a length in a line that goes on", FINE "Content-Length:\r\n 2\r\n\r\nok", 0, 1),
	RESPONSE("a chunk's size that overflows", IN_CHUNKS "ffffffffffffffff\r\nhello", 0, 0),
	RESPONSE("a chunk of 2^60 bytes", IN_CHUNKS "fffffffffffffff\r\nhello", 0, 0),
	RESPONSE("a chunk's size below 0", IN_CHUNKS "-5\r\nhello\r\n", 0, 0),
	RESPONSE("a chunk's size that is none", IN_CHUNKS "ZZZ\r\nhello\r\n", 0, 0),
	RESPONSE("a chunk's size with 0x", IN_CHUNKS "0x5\r\nhello\r\n0\r\n\r\n", 0, 1),
	RESPONSE("a blank before a chunk's size", IN_CHUNKS " 5\r\nhello\r\n0\r\n\r\n", 0, 1),
	RESPONSE("junk behind a chunk's size", IN_CHUNKS "5;\0\x80=\"\r\nhello\r\n0\r\n\r\n", 1, 1),
	RESPONSE("a chunk longer than its size", IN_CHUNKS "2\r\nhello\r\n0\r\n\r\n", 0, 1),

	/* More or other responses than there are requests. */
	{"a response before any request", {BYTES(""), BYTES(OK), BYTES(GET), BYTES(ERROR)}, 0, 0},
	{"two responses", {BYTES(GET), BYTES(OK OK), BYTES(GET), BYTES(ERROR)}, 1, 1},
	{"a response within a response",
	 {BYTES(GET), BYTES(FINE "Content-Length: 19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), BYTES(GET),
	  BYTES(ERROR)},
	 1,
	 1},
	{"junk behind a response",
	 {BYTES(GET), BYTES(OK "junk\r\n"), BYTES(GET), BYTES(ERROR)},
	 1,
	 1},
	{"NULs behind a response",
	 {BYTES(GET), BYTES(OK "\0\0\0\0"), BYTES(GET), BYTES(ERROR)},
	 1,
	 1},
	{"a response by the client", {BYTES(OK), BYTES(OK), BYTES(OK), BYTES(OK)}, 0, 0},
	{"a request by the server", {BYTES(GET), BYTES(GET), BYTES(GET), BYTES(ERROR)}, 0, 0},
};

/* What has been counted at an end. */
struct tally {
	long complete; /* with a status of 2xx, not broken off */
	long all;
};

static struct tally tallies[ENDS]; /* as they were last looked at */

static struct tally count_in(const struct text *text, enum end end)
{
	static const char success[] = "http_response_status_code=\"2";
	const char *name = end == CLIENT ? ASKED : SERVED;

	return (struct tally){
		.complete = (long)(told_in(text, end, name, success) -
				   told_in(text, end, BY_CLIENT, success) -
				   told_in(text, end, BY_SERVER, success)),
		.all = (long)told_in(text, end, name, ""),
	};
}

static void begin(void **state)
{
	memset(tallies, 0, sizeof(tallies));
	scene_listen(state, &loopback, IPV4);
	scene_watch(CLIENT);
	scene_watch(SERVER);
}

static void check_growth(const char *what, enum end end, const struct tally *now,
			 const struct tally *least, const struct tally *most)
{
	long complete = now->complete - tallies[end].complete, all = now->all - tallies[end].all;

	if (complete < least->complete || complete > most->complete || all < least->all ||
	    all > most->all)
		fail_msg("%s: the %s has %ld successes (%ld to %ld) of %ld (%ld to %ld)", what,
			 end == CLIENT ? "client" : "server", complete, least->complete,
			 most->complete, all, least->all, most->all);
}

/* Both ends close, the server first; each has counted within these bounds since it was looked at.
 */
static void check_end(const char *what, const struct tally *least, const struct tally *most)
{
	struct text text;

	scene_disconnect(SERVER);
	scene_disconnect(CLIENT);
	text = show_all();
	for (enum end end = CLIENT; end <= SERVER; end++) {
		struct tally now = count_in(&text, end);

		check_growth(what, end, &now, least, most);
		tallies[end] = now;
	}
	text_free(&text);
}

/* A connection like any other is counted, whatever came before. */
static void check_next_connection(const char *what)
{
	static const struct tally one = {1, 1};

	scene_connect();
	exchange(GET, OK);
	check_end(what, &one, &one);
}

/* In packets of up to `piece` bytes. */
static void replay(const struct malformed *malformed, size_t piece)
{
	const struct tally least = {malformed->least, 0}, most = {malformed->most, LONG_MAX};

	scene_connect();
	for (int turn = 0; turn < TURNS; turn++) {
		const char *data = malformed->turns[turn].data;
		size_t left = malformed->turns[turn].size;

		for (size_t size; left > 0; left -= size, data += size) {
			size = left < piece ? left : piece;
			say_bytes(turn % 2 ? SERVER : CLIENT, data, size);
		}
	}
	check_end(malformed->what, &least, &most);
	check_next_connection(malformed->what);
}

static void replay_corpus(void **state, size_t piece)
{
	begin(state);
	for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++)
		replay(&corpus[i], piece);
}

static void test_whole(void **state)
{
	replay_corpus(state, SIZE_MAX);
}

static void test_in_packets_of_seven_bytes(void **state)
{
	replay_corpus(state, 7);
}

static void test_byte_by_byte(void **state)
{
	replay_corpus(state, 1);
}

/* --- too much of something --- */

#define MUCH 65536

/* `before`, `part` again and again up to MUCH bytes, and `after`. */
static struct bytes repeat(char *buffer, const char *before, const char *part, const char *after)
{
	size_t size = (size_t)snprintf(buffer, MUCH, "%s", before);

	while (size + strlen(part) + strlen(after) < MUCH)
		size += (size_t)snprintf(buffer + size, MUCH - size, "%s", part);
	size += (size_t)snprintf(buffer + size, MUCH - size, "%s", after);
	return (struct bytes){buffer, size};
}

/* Where more passes at once than is told apart, a success may be missed, and is never made up. */
static void test_too_much(void **state)
{
	static char buffer[MUCH];
	const struct {
		const char *what, *before, *part, *after;
		enum end end; /* who says it */
		int least;
	} cases[] = {
		{"a request line", "GET /", "a", " HTTP/1.1\r\n\r\n", CLIENT, 1},
		{"a header", "GET / HTTP/1.1\r\nX: ", "a", "\r\n\r\n", CLIENT, 1},
		{"headers", "GET / HTTP/1.1\r\n", "Content-Type: a\r\n", "\r\n", CLIENT, 1},
		{"empty lines before a request", "", "\r\n", GET, CLIENT, 0},
		{"a header of the response", FINE "Content-Length: 0\r\nX: ", "a", "\r\n\r\n",
		 SERVER, 1},
		{"a reason", "HTTP/1.1 200 ", "a", "\r\nContent-Length: 0\r\n\r\n", SERVER, 1},
		{"lengths", FINE, "Content-Length: 0\r\n", "\r\n", SERVER, 1},
		{"interim responses", "", "HTTP/1.1 100 Continue\r\n\r\n", OK, SERVER, 0},
		{"empty lines before a response", "", "\r\n", OK, SERVER, 0},
		{"responses", "", OK, OK, SERVER, 0},
		{"NULs before a response", "\n", "\t\n", OK, SERVER, 0},
		{"tiny chunks", IN_CHUNKS, "1\r\na\r\n", "0\r\n\r\n", SERVER, 1},
		{"junk behind a chunk's size", IN_CHUNKS "1;", "a", "\r\na\r\n0\r\n\r\n", SERVER,
		 1},
		{"digits of a chunk's size", IN_CHUNKS, "0", "\r\n\r\n", SERVER, 0},
		{"trailers", IN_CHUNKS "0\r\n", "A: b\r\n", "\r\n", SERVER, 1},
	};

	begin(state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bytes much =
			repeat(buffer, cases[i].before, cases[i].part, cases[i].after);
		const struct bytes get = BYTES(GET), fine = BYTES(OK), fails = BYTES(ERROR);
		const struct malformed malformed = {
			cases[i].what,
			{cases[i].end == CLIENT ? much : get, cases[i].end == SERVER ? much : fine,
			 get, fails},
			cases[i].least,
			1,
		};

		replay(&malformed, SIZE_MAX);
		replay(&malformed, 1000);
	}
}

/* --- bytes changed by chance --- */

#define ROUNDS 200

static uint32_t chance(void)
{
	static uint32_t seed = 2463534242U; /* the same in each run */

	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static const char *change(const struct bytes *bytes, char *buffer, size_t size)
{
	static const char odd[] = "\0\r\n 0;:9aHPT/\x80\xff";

	assert_true(bytes->size <= size);
	if (bytes->size > 0)
		memcpy(buffer, bytes->data, bytes->size);
	for (uint32_t i = chance() % 4; i > 0 && bytes->size > 0; i--)
		buffer[chance() % bytes->size] = odd[chance() % sizeof(odd)];
	return buffer;
}

/* How often a status line of success begins in what the server says. */
static int count_successes(const struct malformed *malformed)
{
	static const char version[] = "HTTP/1."; /* a digit, a blank, and the status */
	const size_t before_status = strlen(version) + 2;
	int count = 0;

	for (int turn = 1; turn < TURNS; turn += 2) {
		const char *end = malformed->turns[turn].data + malformed->turns[turn].size;
		const char *at = malformed->turns[turn].data;

		while ((at = memmem(at, (size_t)(end - at), version, strlen(version)))) {
			count += end - at > (ptrdiff_t)before_status && at[before_status] == '2';
			at++;
		}
	}
	return count;
}

/* There are no more successes than the server has said. */
static void test_changed_by_chance(void **state)
{
	static char buffers[TURNS][4096];

	begin(state);
	for (int round = 0; round < ROUNDS; round++) {
		struct malformed malformed =
			corpus[chance() % (sizeof(corpus) / sizeof(corpus[0]))];

		for (int turn = 0; turn < TURNS; turn++)
			malformed.turns[turn].data = change(&malformed.turns[turn], buffers[turn],
							    sizeof(buffers[turn]));
		malformed.least = 0;
		malformed.most = count_successes(&malformed);
		replay(&malformed, 1 + chance() % 200);
	}
}

#define TEST(test) cmocka_unit_test_teardown(test, scene_end)

int main(void)
{
	struct CMUnitTest tests[] = {
		TEST(test_whole),    TEST(test_in_packets_of_seven_bytes), TEST(test_byte_by_byte),
		TEST(test_too_much), TEST(test_changed_by_chance),
	};

	return fixture_run(tests, scenes_setup, scenes_teardown);
}
