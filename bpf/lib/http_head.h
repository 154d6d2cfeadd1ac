/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Reads the heads of HTTP/1 messages out of a stream that comes in pieces, cut anywhere: which
 * method or status, how long the body is, where the next message can start (RFC 9112). Both halves
 * compile it: the kernel to count, user space to test and fuzz it.
 *
 * A piece is looked at through a window: what was left of the line before it, and then the new
 * bytes. A line is judged when it is whole, or by its beginning when it is longer than that.
 */
#ifndef SKEP_BPF_LIB_HTTP_HEAD_H
#define SKEP_BPF_LIB_HTTP_HEAD_H

#include <linux/types.h>
#include <stdbool.h>

#define HTTP_LINE_KEPT 40  /* bytes kept of a line that is not finished; longer ones are skipped */
#define HTTP_WINDOW    256 /* bytes looked at in one go, those kept included */
#define HTTP_WINDOW_ROOM                                                                           \
	(2 * HTTP_WINDOW + 64) /* so that what follows a line may be read unasked */

enum http_method {
	HTTP_METHOD_OTHER, /* "_OTHER": a token that is not known */
	HTTP_METHOD_GET,
	HTTP_METHOD_HEAD,
	HTTP_METHOD_POST,
	HTTP_METHOD_PUT,
	HTTP_METHOD_DELETE,
	HTTP_METHOD_CONNECT,
	HTTP_METHOD_OPTIONS,
	HTTP_METHOD_TRACE,
	HTTP_METHOD_PATCH,
	HTTP_METHODS,
};

enum http_state {
	HTTP_START, /* a message can start here */
	HTTP_HEADERS,
	HTTP_CHUNK_SIZE, /* the line before a chunk */
	HTTP_TRAILERS,	 /* lines behind the last chunk */
	HTTP_BODY,	 /* `body` bytes are to come */
	HTTP_CHUNK,	 /* and these, with the line end behind the chunk */
	HTTP_CHUNKED, /* chunks whose bounds are not known: until a packet ends as the last does */
	HTTP_CLOSE,   /* ends with the connection */
	HTTP_OPAQUE,  /* no HTTP/1, or no more of it */
};

/* What a head has said. */
#define HTTP_HEAD_LENGTH  0x1 /* Content-Length */
#define HTTP_HEAD_CHUNKED 0x2 /* Transfer-Encoding: chunked */
#define HTTP_HEAD_SKIP	  0x4 /* the rest of this line is of no interest */
#define HTTP_HEAD_REQUEST 0x8

/* One direction of a connection. A zeroed struct stands where a message can start. */
struct http_head {
	__u8 state;   /* enum http_state */
	__u8 flags;   /* HTTP_HEAD_... */
	__u8 method;  /* of a request: enum http_method */
	__u8 kept;    /* bytes of the line that is not finished */
	__u16 status; /* of a response */
	__u16 reserved;
	__u64 body; /* bytes of the body or the chunk that are to come */
	__u8 line[HTTP_LINE_KEPT];
};

/* What is looked at, and how far the look has come. */
struct http_window {
	__u32 size;  /* bytes in it */
	__u32 at;    /* looked at up to here */
	__u32 start; /* of the line */
	__u32 done;  /* the head ends before this byte; 0: not in this window */
	__u8 bytes[HTTP_WINDOW_ROOM];
};

/*
 * The kernel's verifier wants an index bounded right where it is used, and the compiler must not
 * know that it is already. Words may lie anywhere.
 */
#ifdef __bpf__
#define http_global	 __noinline /* not static: the verifier looks at it once, for any caller */
#define http_load(bytes) (*(const __u64 *)(bytes))
#define http_index(index)                                                                          \
	({                                                                                         \
		__u64 bounded = (index);                                                           \
                                                                                                   \
		asm volatile("" : "+r"(bounded));                                                  \
		bounded &(HTTP_WINDOW - 1);                                                        \
	})
#else
static inline __u64 http_load(const __u8 *bytes)
{
	__u64 word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	return word;
}
#define http_index(index) (index)
#define http_global	  static inline
#endif

/* Eight letters as http_load() gives them. */
#define HTTP_WORD(a, b, c, d, e, f, g, h)                                                          \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)
#define HTTP_LOWER 0x2020202020202020ULL

/* A known method, and the space behind it, in the first word of a line. */
#define HTTP_IS(word, size, ...) (((word) & (~0ULL >> (64 - 8 * (size)))) == HTTP_WORD(__VA_ARGS__))

static __always_inline __u8 http_method_of(__u64 word)
{
	if (HTTP_IS(word, 4, 'G', 'E', 'T', ' ', 0, 0, 0, 0))
		return HTTP_METHOD_GET;
	if (HTTP_IS(word, 5, 'P', 'O', 'S', 'T', ' ', 0, 0, 0))
		return HTTP_METHOD_POST;
	if (HTTP_IS(word, 4, 'P', 'U', 'T', ' ', 0, 0, 0, 0))
		return HTTP_METHOD_PUT;
	if (HTTP_IS(word, 5, 'H', 'E', 'A', 'D', ' ', 0, 0, 0))
		return HTTP_METHOD_HEAD;
	if (HTTP_IS(word, 7, 'D', 'E', 'L', 'E', 'T', 'E', ' ', 0))
		return HTTP_METHOD_DELETE;
	if (HTTP_IS(word, 6, 'P', 'A', 'T', 'C', 'H', ' ', 0, 0))
		return HTTP_METHOD_PATCH;
	if (HTTP_IS(word, 8, 'O', 'P', 'T', 'I', 'O', 'N', 'S', ' '))
		return HTTP_METHOD_OPTIONS;
	if (HTTP_IS(word, 8, 'C', 'O', 'N', 'N', 'E', 'C', 'T', ' '))
		return HTTP_METHOD_CONNECT;
	if (HTTP_IS(word, 6, 'T', 'R', 'A', 'C', 'E', ' ', 0, 0))
		return HTTP_METHOD_TRACE;
	return HTTP_METHOD_OTHER;
}

static __always_inline bool http_is_digit(__u8 c)
{
	return c >= '0' && c <= '9';
}

/* A line of a request ends with the version; ones that are shorter end before `line` + 8. */
static __always_inline bool http_ends_with_version(const __u8 *line, __u32 size)
{
	__u64 word = http_load(line + http_index(size - 8));

	return (word & ~(0xffULL << 56)) == HTTP_WORD('H', 'T', 'T', 'P', '/', '1', '.', 0) &&
	       http_is_digit(word >> 56);
}

#define HTTP_REQUEST_LINE_LEAST 14 /* "GET / HTTP/1.1" */

/*
 * A request line begins with a method and ends with the version, which is how methods that are not
 * known are recognised. Of one that is longer than the window, the end is not seen, and the method
 * alone says so.
 */
static __always_inline void http_judge_request(struct http_head *head, const __u8 *line, bool whole,
					       __u32 size)
{
	__u8 method = http_method_of(http_load(line));

	if (whole ? size < HTTP_REQUEST_LINE_LEAST || !http_ends_with_version(line, size)
		  : method == HTTP_METHOD_OTHER)
		return;
	head->method = method;
	head->state = HTTP_HEADERS;
}

/* "HTTP/1.1 200", with a reason or without. */
static __always_inline void http_judge_response(struct http_head *head, const __u8 *line)
{
	__u64 word = http_load(line);

	if (!HTTP_IS(word, 7, 'H', 'T', 'T', 'P', '/', '1', '.', 0) || !http_is_digit(line[7]) ||
	    line[8] != ' ' || !http_is_digit(line[9]) || !http_is_digit(line[10]) ||
	    !http_is_digit(line[11]) || line[12] > ' ')
		return;
	head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	head->state = head->status >= 100 ? HTTP_HEADERS : HTTP_START;
}

static __always_inline void http_judge_start(struct http_head *head, const __u8 *line, bool whole,
					     __u32 size)
{
	head->body = 0;
	head->flags &= HTTP_HEAD_REQUEST;
	if (head->flags & HTTP_HEAD_REQUEST)
		http_judge_request(head, line, whole, size);
	else
		http_judge_response(head, line);
	if (head->state == HTTP_START)
		head->state = HTTP_OPAQUE;
}

#define HTTP_BLANKS	   8  /* before a value */
#define HTTP_LENGTH_DIGITS 19 /* more do not fit */

static __always_inline bool http_is_blank(__u8 c)
{
	return c == ' ' || c == '\t';
}

/*
 * Lists ("5, 5") and signs are no lengths: what follows is not known then. The line is the
 * window's from `start` on.
 */
http_global int http_judge_length(struct http_head *head, const struct http_window *window,
				  __u32 start, __u32 size)
{
	const __u8 *value;
	__u64 length = 0;
	__u32 i;

	if (!head || !window)
		return 0;
	for (i = 0; i < HTTP_BLANKS && size && http_is_blank(window->bytes[http_index(start)]);
	     i++) {
		start++;
		size--;
	}
	value = window->bytes + http_index(start);
	for (i = 0; i < HTTP_LENGTH_DIGITS && i < size && http_is_digit(value[i]); i++)
		length = length * 10 + (value[i] - '0');
	if (!i || (i < size && !http_is_blank(value[i])))
		return 0;
	head->flags |= HTTP_HEAD_LENGTH;
	head->body = length;
	return 0;
}

static __always_inline void http_judge_header(struct http_head *head,
					      const struct http_window *window, __u32 start,
					      __u32 size)
{
	const __u8 *line = window->bytes + http_index(start);
	__u64 word = http_load(line) | HTTP_LOWER;

	if (word == HTTP_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-')) {
		word = http_load(line + 8) | HTTP_LOWER;
		if (HTTP_IS(word, 7, 'l', 'e', 'n', 'g', 't', 'h', ':', 0) && size > 15)
			http_judge_length(head, window, start + 15, size - 15);
	} else if (word == HTTP_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r') && size >= 25) {
		word = http_load(line + 8) | HTTP_LOWER;
		if (word != HTTP_WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n'))
			return;
		/* The last coding is the one that counts; "chunked" always is the last. */
		word = http_load(line + http_index(size - 8)) | HTTP_LOWER;
		if (word >> 8 == HTTP_WORD('c', 'h', 'u', 'n', 'k', 'e', 'd', 0))
			head->flags |= HTTP_HEAD_CHUNKED;
	}
}

#define HTTP_CHUNK_DIGITS 15

/* A chunk's size is hexadecimal; what stands behind it is of no interest (RFC 9112, 7.1). */
static __always_inline void http_judge_chunk(struct http_head *head, const __u8 *line, __u32 size)
{
	__u64 length = 0;
	__u32 i;

	for (i = 0; i <= HTTP_CHUNK_DIGITS && i < size; i++) {
		__u8 c = line[i], letter = c | 0x20;

		if (http_is_digit(c))
			length = length << 4 | (c - '0');
		else if (letter >= 'a' && letter <= 'f')
			length = length << 4 | (letter - 'a' + 10);
		else
			break;
	}
	head->body = length;
	if (!i || i > HTTP_CHUNK_DIGITS)
		head->state = HTTP_CHUNKED;
}

/* The line before a chunk has ended. */
static __always_inline void http_begin_chunk(struct http_head *head, struct http_window *window,
					     __u32 end)
{
	if (head->state == HTTP_CHUNK_SIZE && !head->body) {
		head->state = HTTP_TRAILERS;
		return;
	}
	if (head->state == HTTP_CHUNK_SIZE) {
		head->state = HTTP_CHUNK;
		head->body += 2;
	}
	window->done = end + 1;
}

/* Judges the line that ends before `end`, where its line feed is. */
http_global int http_judge_line(struct http_head *head, struct http_window *window, __u32 end)
{
	const __u8 *line;
	__u32 start, size;

	if (!head || !window)
		return 0;
	start = window->start;
	if (start >= HTTP_WINDOW || end >= HTTP_WINDOW || end < start)
		return 0;
	line = window->bytes + http_index(start);
	size = end - start;
	if (size && window->bytes[http_index(end - 1)] == '\r')
		size--;
	if (head->state == HTTP_CHUNK_SIZE) {
		if (!(head->flags & HTTP_HEAD_SKIP))
			http_judge_chunk(head, line, size);
		head->flags &= ~HTTP_HEAD_SKIP;
		http_begin_chunk(head, window, end);
	} else if (head->flags & HTTP_HEAD_SKIP)
		head->flags &= ~HTTP_HEAD_SKIP;
	else if (!size && head->state != HTTP_START)
		window->done = end + 1;
	else if (head->state == HTTP_HEADERS)
		http_judge_header(head, window, start, size);
	else if (size && head->state == HTTP_START) /* empty lines before a message are allowed */
		http_judge_start(head, line, true, size);
	return 0;
}

/* Which of the eight bytes is the first line feed; 8: none. */
static __always_inline __u32 http_find_line_feed(__u64 word)
{
	__u64 differing = word ^ 0x0a0a0a0a0a0a0a0aULL;
	__u64 found = (differing - 0x0101010101010101ULL) & ~differing & 0x8080808080808080ULL;

	if (!found)
		return 8;
	return ((found & -found) >> 7) * 0x0001020304050607ULL >> 56;
}

struct http_look {
	struct http_head *head;
	struct http_window *window;
};

#define HTTP_STEP_WORDS 4

/* Most headers are of no interest, which their first letter says. */
static __always_inline bool http_may_skip_line(const struct http_head *head,
					       const struct http_window *window)
{
	__u8 letter = window->bytes[http_index(window->start)] | 0x20;

	return head->state == HTTP_HEADERS && !(head->flags & HTTP_HEAD_SKIP) && letter >= 'a' &&
	       letter != 'c' && letter != 't';
}

/* One step of a look: some words, or up to the end of a line. Returns 1 at the end of the look. */
static long http_step(__u32 step, void *context)
{
	struct http_look *look = context;
	struct http_window *window = look->window;
	struct http_head *head = look->head;
	__u32 at = window->at, offset, i;

	(void)step;
	for (i = 0; i < HTTP_STEP_WORDS; i++) {
		offset = http_find_line_feed(http_load(window->bytes + http_index(at)));
		if (offset < 8)
			break;
		at += 8;
	}
	window->at = at;
	if (offset == 8)
		return at >= window->size || at >= HTTP_WINDOW;
	at += offset;
	if (at >= window->size || at >= HTTP_WINDOW)
		return 1;
	if (!http_may_skip_line(head, window))
		http_judge_line(head, window, at);
	window->at = at + 1;
	window->start = window->at;
	return window->done || head->state == HTTP_OPAQUE || window->at >= window->size;
}

/* Keeps the line that is not finished; of one that is too long, only that the rest is skipped. */
static __always_inline void http_keep_line(struct http_head *head, struct http_window *window)
{
	__u32 start = window->start, size = window->size - start;

	head->kept = 0;
	if (start >= HTTP_WINDOW || head->flags & HTTP_HEAD_SKIP)
		return;
	if (size < HTTP_LINE_KEPT) {
		__builtin_memcpy(head->line, window->bytes + http_index(start), HTTP_LINE_KEPT);
		head->kept = size;
		return;
	}
	if (head->state == HTTP_START)
		http_judge_start(head, window->bytes + http_index(start), false, size);
	else if (head->state == HTTP_CHUNK_SIZE)
		http_judge_chunk(head, window->bytes + http_index(start), size);
	head->flags |= HTTP_HEAD_SKIP;
}

#ifdef __bpf__
#define http_loop(steps, step, context) bpf_loop(steps, step, context, 0)
#else
static inline void http_loop(__u32 steps, long (*step)(__u32, void *), void *context)
{
	for (__u32 i = 0; i < steps && !step(i, context); i++)
		;
}
#endif

/*
 * Looks at a window, which begins with head->line (head->kept bytes). Afterwards window->done tells
 * where the head has ended, or the state is HTTP_OPAQUE, or more is needed.
 */
static __always_inline void http_look(struct http_head *head, struct http_window *window)
{
	struct http_look look = {head, window};

	window->at = head->kept; /* no line feed in what was kept */
	window->start = 0;
	window->done = 0;
	http_loop(HTTP_WINDOW, http_step, &look);
	if (!window->done && head->state != HTTP_OPAQUE)
		http_keep_line(head, window);
	else
		head->kept = 0;
}

/* The head of a request has ended: what follows it. */
static __always_inline void http_finish_request(struct http_head *head)
{
	if (head->method == HTTP_METHOD_CONNECT)
		head->state = HTTP_OPAQUE;
	else if (head->flags & HTTP_HEAD_CHUNKED)
		head->state = HTTP_CHUNK_SIZE;
	else
		head->state = head->body ? HTTP_BODY : HTTP_START;
}

/* The head of a response to a request with `method` has ended. */
static __always_inline void http_finish_response(struct http_head *head, __u8 method)
{
	__u16 status = head->status;

	if (status == 101 || (method == HTTP_METHOD_CONNECT && status >= 200 && status < 300))
		head->state = HTTP_OPAQUE;
	else if (status < 200 || status == 204 || status == 304 || method == HTTP_METHOD_HEAD)
		head->state = HTTP_START;
	else if (head->flags & HTTP_HEAD_CHUNKED)
		head->state = HTTP_CHUNK_SIZE;
	else if (!(head->flags & HTTP_HEAD_LENGTH))
		head->state = HTTP_CLOSE;
	else
		head->state = head->body ? HTTP_BODY : HTTP_START;
}

#endif
