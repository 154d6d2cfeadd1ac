/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Reads the heads of HTTP/1 messages out of a stream that comes in pieces, cut anywhere: which
 * method or status, how long the body is, where the next message can start (RFC 9112). Both halves
 * compile it: the kernel to count, user space to test and fuzz it.
 *
 * A piece is looked at through a window: what was left of the line before it, and then the new
 * bytes. A line is judged when it is whole, or by its beginning when it is longer than that. Most
 * lines are of no interest, so the way to the end of a line must be short: eight bytes at a time,
 * for the first one that cannot be in the middle of a usual line.
 */
#ifndef SKEP_BPF_LIB_HTTP_HEAD_H
#define SKEP_BPF_LIB_HTTP_HEAD_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf/lib/likely.h"

#define HTTP_LINE_KEPT	 40 /* bytes kept of a line that is not finished; longer ones are skipped */
#define HTTP_WINDOW	 256 /* new bytes looked at in one go */
#define HTTP_LINES	 16  /* lines looked at in one go */
#define HTTP_WINDOW_END	 (HTTP_LINE_KEPT + HTTP_WINDOW)
#define HTTP_WINDOW_ROOM (HTTP_WINDOW_END + 64) /* what follows a line may be read unasked */

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
#define HTTP_HEAD_DONE	  0x10 /* the last look has come to the end of the lines */

/* One direction of a connection. A zeroed struct stands where a message can start. */
struct http_head {
	__u64 body;   /* bytes of the body or the chunk that are to come */
	__u8 state;   /* enum http_state */
	__u8 flags;   /* HTTP_HEAD_... */
	__u8 method;  /* of a request: enum http_method */
	__u8 kept;    /* bytes of the line that is not finished */
	__u16 status; /* of a response */
	__u16 reserved;
};

/*
 * What is looked at: the new bytes are from HTTP_LINE_KEPT on, and right before them stand those
 * that were kept of the line which they go on with. A place in it is called by its index.
 */
struct http_window {
	__u64 zero; /* always: http_forget() */
	__u8 bytes[HTTP_WINDOW_ROOM];
};

/*
 * The kernel's verifier wants an index bounded right where it is used, and the compiler must not
 * know that it is already. What it knows of an index besides, it looks at each line anew for: so it
 * is made to forget by a zero of which it does not know that it is one. Words may lie anywhere.
 */
#ifdef __bpf__
#define http_global		 __noinline /* not static: the verifier looks at it once, for any caller */
#define http_load(bytes)	 (*(const __u64 *)(bytes))
#define http_store(bytes, word)	 (*(volatile __u64 *)(bytes) = (word))
#define http_forget(index, zero) ((index) ^ (zero))
#define http_is_outside(index)                                                                     \
	({                                                                                         \
		asm volatile("" : "+r"(index));                                                    \
		index >= HTTP_WINDOW_END;                                                          \
	})
#else
static inline __u64 http_load(const __u8 *bytes)
{
	__u64 word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	return word;
}
static inline void http_store(__u8 *bytes, __u64 word)
{
	__builtin_memcpy(bytes, &word, sizeof(word));
}
#define http_forget(index, zero) (index)
#define http_is_outside(index)	 ((index) >= HTTP_WINDOW_END)
#define http_global		 static inline
#endif

/* Eight letters as http_load() gives them. */
#define HTTP_WORD(a, b, c, d, e, f, g, h)                                                          \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)
#define HTTP_LINE_END ('\r' | '\n' << 8)
#define HTTP_LOWER    0x2020202020202020ULL

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

/* A line of a request ends with the version. */
static __always_inline bool http_ends_with_version(const __u8 *bytes, __u64 end)
{
	__u64 last = end - 8, word;

	if (http_is_outside(last))
		return false;
	word = http_load(bytes + last);
	return (word & ~(0xffULL << 56)) == HTTP_WORD('H', 'T', 'T', 'P', '/', '1', '.', 0) &&
	       http_is_digit(word >> 56);
}

#define HTTP_REQUEST_LINE_LEAST 14 /* "GET / HTTP/1.1" */

/*
 * A request line begins with a method and ends with the version, which is how methods that are not
 * known are recognised. Of one that is longer than the window, the end is not seen, and the method
 * alone says so. False where it is none.
 */
static __always_inline bool http_judge_request(struct http_head *head, const __u8 *bytes,
					       __u64 start, __u64 end, bool whole)
{
	__u8 method = http_method_of(http_load(bytes + start));

	if (whole ? end - start < HTTP_REQUEST_LINE_LEAST || !http_ends_with_version(bytes, end)
		  : method == HTTP_METHOD_OTHER)
		return false;
	head->method = method;
	return true;
}

/* "HTTP/1.1 200", with a reason or without; else false. */
static __always_inline bool http_judge_response(struct http_head *head, const __u8 *line)
{
	__u64 word = http_load(line);

	if (!HTTP_IS(word, 7, 'H', 'T', 'T', 'P', '/', '1', '.', 0) || !http_is_digit(line[7]) ||
	    line[8] != ' ' || !http_is_digit(line[9]) || !http_is_digit(line[10]) ||
	    !http_is_digit(line[11]) || line[12] > ' ')
		return false;
	head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	return head->status >= 100;
}

/* `start` is inside the window; a line that is not whole goes on behind `end`. */
static __always_inline void http_judge_start(struct http_head *head, const __u8 *bytes, __u64 start,
					     __u64 end, bool whole)
{
	head->body = 0;
	head->flags &= HTTP_HEAD_REQUEST;
	if (head->flags & HTTP_HEAD_REQUEST)
		head->state = http_judge_request(head, bytes, start, end, whole) ? HTTP_HEADERS
										 : HTTP_OPAQUE;
	else
		head->state = http_judge_response(head, bytes + start) ? HTTP_HEADERS : HTTP_OPAQUE;
}

#define HTTP_BLANKS	   8  /* before a value */
#define HTTP_LENGTH_DIGITS 19 /* more do not fit */

static __always_inline bool http_is_blank(__u8 c)
{
	return c == ' ' || c == '\t';
}

/* Lists ("5, 5") and signs are no lengths: what follows is not known then. */
http_global int http_judge_length(struct http_head *head, const struct http_window *window,
				  __u64 start, __u64 end)
{
	const __u8 *value;
	__u64 length = 0;
	__u32 i;

	if (!head || !window)
		return 0;
	for (i = 0; i < HTTP_BLANKS && start < end; i++, start++)
		if (http_is_outside(start) || !http_is_blank(window->bytes[start]))
			break;
	if (http_is_outside(start))
		return 0;
	value = window->bytes + start;
	for (i = 0; i < HTTP_LENGTH_DIGITS && start + i < end && http_is_digit(value[i]); i++)
		length = length * 10 + (value[i] - '0');
	if (!i || (start + i < end && !http_is_blank(value[i])))
		return 0;
	head->flags |= HTTP_HEAD_LENGTH;
	head->body = length;
	return 0;
}

#define HTTP_IS_CONTENT(word)  ((word) == HTTP_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-'))
#define HTTP_IS_TRANSFER(word) ((word) == HTTP_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r'))

/* The last coding is the one that counts; "chunked" always is the last. */
static __always_inline bool http_ends_with_chunked(const __u8 *bytes, __u64 end)
{
	__u64 last = end - 8;

	if (http_is_outside(last))
		return false;
	return (http_load(bytes + last) | HTTP_LOWER) >> 8 ==
	       HTTP_WORD('c', 'h', 'u', 'n', 'k', 'e', 'd', 0);
}

static __always_inline void http_judge_header(struct http_head *head,
					      const struct http_window *window, __u64 start,
					      __u64 end)
{
	const __u8 *line = window->bytes + start;
	__u64 word = http_load(line) | HTTP_LOWER, next = http_load(line + 8) | HTTP_LOWER;

	if (HTTP_IS_CONTENT(word) && HTTP_IS(next, 7, 'l', 'e', 'n', 'g', 't', 'h', ':', 0) &&
	    end - start > 15)
		http_judge_length(head, window, start + 15, end);
	else if (HTTP_IS_TRANSFER(word) && end - start >= 25 &&
		 next == HTTP_WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n') &&
		 http_ends_with_chunked(window->bytes, end))
		head->flags |= HTTP_HEAD_CHUNKED;
}

#define HTTP_CHUNK_DIGITS 15

/* A chunk's size is hexadecimal; what stands behind it is of no interest (RFC 9112, 7.1). */
http_global int http_judge_chunk(struct http_head *head, const struct http_window *window,
				 __u64 start, __u64 end)
{
	__u64 length = 0;
	const __u8 *line;
	__u32 i;

	if (!head || !window || http_is_outside(start))
		return 0;
	line = window->bytes + start;
	for (i = 0; i <= HTTP_CHUNK_DIGITS && start + i < end; i++) {
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
	return 0;
}

/* The line before a chunk has ended. */
static __always_inline void http_begin_chunk(struct http_head *head)
{
	if (head->state == HTTP_CHUNK_SIZE && !head->body) {
		head->state = HTTP_TRAILERS;
		return;
	}
	if (head->state == HTTP_CHUNK_SIZE) {
		head->state = HTTP_CHUNK;
		head->body += 2;
	}
	head->flags |= HTTP_HEAD_DONE;
}

/* Judges a whole line, from `start` up to `end`, that may tell something. */
http_global int http_judge_line(struct http_head *head, struct http_window *window, __u64 start,
				__u64 end)
{
	__u8 skip;

	if (!head || !window || http_is_outside(start) || http_is_outside(end) || end < start)
		return 0;
	skip = head->flags & HTTP_HEAD_SKIP;
	head->flags &= ~HTTP_HEAD_SKIP;
	if (head->state == HTTP_CHUNK_SIZE) {
		if (!skip)
			http_judge_chunk(head, window, start, end);
		http_begin_chunk(head);
	} else if (skip)
		return 0;
	else if (start == end && head->state != HTTP_START)
		head->flags |= HTTP_HEAD_DONE;
	else if (head->state == HTTP_HEADERS)
		http_judge_header(head, window, start, end);
	else if (start != end && head->state == HTTP_START) /* empty lines before it are allowed */
		http_judge_start(head, window->bytes, start, end, true);
	return 0;
}

#define HTTP_EACH(byte) ((byte)*0x0101010101010101ULL)

/* The highest bit of bytes below a space, and above 0x9f: right for the first one. */
static __always_inline __u64 http_find_odd(__u64 word)
{
	return (word - HTTP_EACH(' ')) & HTTP_EACH(0x80);
}

/* The same of line feeds. */
static __always_inline __u64 http_find_line_feed(__u64 word)
{
	__u64 differing = word ^ HTTP_EACH('\n');

	return (differing - HTTP_EACH(0x01)) & ~differing & HTTP_EACH(0x80);
}

/* Which of the eight bytes is the first one that was found. */
static __always_inline __u64 http_first_byte(__u64 found)
{
	return ((found & -found) >> 7) * 0x0001020304050607ULL >> 56;
}

/* From `at` on: where the first odd byte of a line is, or some place behind the window. */
static __always_inline __u64 http_seek_odd(const __u8 *bytes, __u64 at)
{
	__u64 found;

	for (int i = 0; i <= HTTP_WINDOW / 32; i++, at += 32) {
		if (http_is_outside(at))
			break;
		found = http_find_odd(http_load(bytes + at));
		if (found)
			return at + http_first_byte(found);
		found = http_find_odd(http_load(bytes + at + 8));
		if (found)
			return at + 8 + http_first_byte(found);
		found = http_find_odd(http_load(bytes + at + 16));
		if (found)
			return at + 16 + http_first_byte(found);
		found = http_find_odd(http_load(bytes + at + 24));
		if (found)
			return at + 24 + http_first_byte(found);
	}
	return HTTP_WINDOW_END;
}

/* The same for a line feed: of lines that hold tabs, letters beyond ASCII, or worse. */
http_global int http_seek_line_feed(const struct http_window *window, __u64 at)
{
	__u64 found;

	if (!window)
		return HTTP_WINDOW_END;
	for (int i = 0; i <= HTTP_WINDOW / 8; i++, at += 8) {
		if (http_is_outside(at))
			break;
		found = http_find_line_feed(http_load(window->bytes + at));
		if (found)
			return at + http_first_byte(found);
	}
	return HTTP_WINDOW_END;
}

/* Where a look is: at a line. The next one begins behind its end, CR and LF. */
struct http_look {
	struct http_head *head;
	struct http_window *window;
	__u64 limit; /* of the bytes that are there */
	__u64 start;
	__u64 end;
	__u64 next;
	bool plain; /* a header, if it is not empty */
	bool over;
};

/* The end is none of the usual kind. False: it is not among the bytes that are there. */
static __always_inline bool http_find_odd_end(struct http_look *look, __u64 at)
{
	const __u8 *bytes = look->window->bytes;
	__u64 before;

	at = (__u32)http_seek_line_feed(look->window, at);
	before = at - 1;
	if (http_is_outside(before))
		return false;
	look->end = bytes[before] == '\r' && before >= look->start ? before : at;
	look->next = at + 1;
	return look->next <= look->limit;
}

/* Looks for the end of the line from `at` on. False: it is not among the bytes that are there. */
static __always_inline bool http_find_end(struct http_look *look, __u64 at)
{
	const __u8 *bytes = look->window->bytes;

	at = http_forget(http_seek_odd(bytes, at), look->window->zero);
	if (http_is_outside(at))
		return false;
	if ((__u16)http_load(bytes + at) != HTTP_LINE_END)
		return http_find_odd_end(look, at);
	look->end = at;
	look->next = at + 2;
	return look->next <= look->limit;
}

/* Most headers are of no interest, which their first letters say. */
static __always_inline bool http_may_skip_line(const struct http_look *look)
{
	__u64 start = look->start, word;

	if (!look->plain || start == look->end || http_is_outside(start))
		return false;
	word = http_load(look->window->bytes + start) | HTTP_LOWER;
	return !HTTP_IS_CONTENT(word) && !HTTP_IS_TRANSFER(word);
}

static __always_inline void http_look_anew(struct http_look *look)
{
	const struct http_head *head = look->head;

	look->plain = head->state == HTTP_HEADERS && !(head->flags & HTTP_HEAD_SKIP);
	look->over = head->flags & HTTP_HEAD_DONE || head->state == HTTP_OPAQUE;
}

/* Keeps the line that is not finished; of one that is too long, only that the rest is skipped. */
static __always_inline void http_keep_line(struct http_head *head, const struct http_window *window,
					   __u64 start, __u64 end)
{
	head->kept = 0;
	if (http_is_outside(start) || head->flags & HTTP_HEAD_SKIP)
		return;
	if (end - start < HTTP_LINE_KEPT) {
		head->kept = end - start;
		return;
	}
	if (head->state == HTTP_START)
		http_judge_start(head, window->bytes, start, end, false);
	else if (head->state == HTTP_CHUNK_SIZE)
		http_judge_chunk(head, window, start, end);
	head->flags |= HTTP_HEAD_SKIP;
}

/*
 * Looks at a window with `size` new bytes, behind head->kept ones that were kept. Returns how many
 * of the new ones have been looked at. Afterwards HTTP_HEAD_DONE tells that the lines end there, or
 * the state is HTTP_OPAQUE, or more is needed; then the last head->kept bytes that were looked at
 * are to be kept.
 */
http_global int http_look(struct http_head *head, struct http_window *window, __u32 size)
{
	struct http_look look = {.head = head,
				 .window = window,
				 .limit = HTTP_LINE_KEPT + size,
				 .start = HTTP_LINE_KEPT};
	__u64 at = HTTP_LINE_KEPT;

	if (!head || !window || size > HTTP_WINDOW || head->kept >= HTTP_LINE_KEPT)
		return 0;
	look.start -= head->kept; /* no line feed in what was kept */
	head->kept = 0;
	head->flags &= ~HTTP_HEAD_DONE;
	http_look_anew(&look);
	for (int i = 0; i < HTTP_LINES && at < look.limit && !look.over; i++) {
		if (!http_find_end(&look, at)) {
			http_keep_line(head, window, look.start, look.limit);
			return size;
		}
		if (!http_may_skip_line(&look)) {
			http_judge_line(head, window, look.start, look.end);
			http_look_anew(&look);
		}
		at = look.start = http_forget(look.next, window->zero);
	}
	return at - HTTP_LINE_KEPT;
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

	if (likely(status >= 200 && status < 204 && method != HTTP_METHOD_HEAD &&
		   method != HTTP_METHOD_CONNECT && head->flags == HTTP_HEAD_LENGTH)) {
		head->state = head->body ? HTTP_BODY : HTTP_START;
		return;
	}
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
