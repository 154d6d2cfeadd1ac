/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Reads the path of a request line out of a stream that comes in pieces, cut anywhere, and tells
 * its segments: which hash each has, and whether it looks like a number, a UUID or another value
 * that says nothing about the route. Both halves compile it: the kernel to count by route, user
 * space to write such paths, and to test and fuzz it.
 *
 * Empty segments count for nothing ("/a//b/" is "/a/b"), nor do a query, a fragment, parameters
 * (";v=1"), and the host of an absolute form. Nothing is decoded.
 */
#ifndef SKEP_BPF_LIB_HTTP_ROUTE_H
#define SKEP_BPF_LIB_HTTP_ROUTE_H

#include <linux/types.h>
#include <stdbool.h>

#include "bpf/http.h"
#include "bpf/lib/http_route_hash.h"

#define HTTP_ROUTE_PATH_LIMIT 1024 /* bytes of a path; a longer one has no route */
#define HTTP_ROUTE_SEGMENTS   12   /* of an automatic route; what follows is its rest */

enum http_route_phase {
	HTTP_ROUTE_UNREAD, /* the line's beginning has not been seen */
	HTTP_ROUTE_METHOD,
	HTTP_ROUTE_TARGET,    /* what is behind the method, before the path */
	HTTP_ROUTE_AUTHORITY, /* "//host" */
	HTTP_ROUTE_SEGMENT,
	HTTP_ROUTE_PARAMETERS, /* of a segment, behind ";" */
	HTTP_ROUTE_END,	       /* the path has ended */
	HTTP_ROUTE_NONE,       /* there is none, or it is too long */
	HTTP_ROUTE_RESOLVED,   /* the caller's: has made of it what it wanted */
};

/* What a segment looks like. */
enum http_route_class {
	HTTP_ROUTE_LITERAL,
	HTTP_ROUTE_NUMBER,
	HTTP_ROUTE_UUID,
	HTTP_ROUTE_HASH,
	HTTP_ROUTE_EMAIL,
	HTTP_ROUTE_TOKEN,
	HTTP_ROUTE_CLASSES,
};

/* The path of one request line; see http_route_begin(). */
struct http_route {
	__u64 segment; /* hash of the segment so far */
	__u64 path;    /* of those before it */
	__u16 length;  /* of the segment */
	__u16 size;    /* of the path */
	__u8 phase;    /* enum http_route_phase */
	__u8 seen;     /* in the segment: HTTP_ROUTE_... below */
	__u8 dashes;   /* in it, where a UUID has them; or HTTP_ROUTE_DASHED */
	__u8 slashes;  /* before the path; then, the segments so far */
	__u16 start;   /* of the path in its line */
	/* The caller's: the route, and where among which templates it stands. */
	__u16 node;
	__u32 number;
	__u32 templates;
	__u16 flags;
	__u16 reserved;
};

_Static_assert(sizeof(struct http_route) == 40, "as small as it may be: each connection has one");

#define HTTP_ROUTE_PIECE 64 /* bytes that the kernel half looks at in one go */

/* A piece of a line that is looked at. */
struct http_route_look {
	struct http_route *route;
	const __u8 *bytes;
	__u32 at;
	__u32 size;
	__u32 line; /* where the message begins, seen from the piece: mostly before it */
	__u32 reserved;
};

/* The kernel's verifier wants an index bounded right where it is used. */
#ifdef __bpf__
#define http_route_index(index)                                                                    \
	({                                                                                         \
		__u64 bounded_ = (index);                                                          \
                                                                                                   \
		asm volatile("" : "+r"(bounded_));                                                 \
		bounded_ &(HTTP_ROUTE_PIECE - 1);                                                  \
	})
#else
#define http_route_index(index) (index)
#endif

/*
 * A segment has ended: called with its hash and class. Whoever includes this file defines it.
 */
static __always_inline void http_route_on_segment(struct http_route_look *look, __u64 hash,
						  __u8 class);

/* Before a line, for a set of templates; `root` is their route for "/". */
static __always_inline void http_route_begin(struct http_route *route, __u32 templates, __u32 root)
{
	*route = (struct http_route){
		.phase = HTTP_ROUTE_METHOD,
		.templates = templates,
		.number = root,
		.flags = templates ? HTTP_STEP_LITERALS | HTTP_STEP_WILDCARD : 0,
	};
}

/* One segment on among the templates, by the step that names it, if there is one, or the other. */
static __always_inline void http_route_follow(struct http_route *route,
					      const struct http_step *literal,
					      const struct http_step *wildcard)
{
	const struct http_step *step = literal ? literal : wildcard;

	route->flags = step ? step->flags : 0;
	route->node = step ? step->node : 0;
	route->number = step ? step->route : 0;
}

/* What a byte is. */
#define HTTP_ROUTE_DIGIT   0x01
#define HTTP_ROUTE_HEX	   0x02 /* a letter of a hexadecimal number */
#define HTTP_ROUTE_LETTER  0x04 /* any other */
#define HTTP_ROUTE_MARK	   0x08
#define HTTP_ROUTE_DOT	   0x10 /* a mark that numbers may have within */
#define HTTP_ROUTE_AT	   0x20
#define HTTP_ROUTE_STRANGE 0x40 /* not allowed in a path (RFC 3986, 3.3) */
#define HTTP_ROUTE_STOP	   0x80 /* to be looked at one by one */

static const __u8 http_route_bytes[256] = {
	[0x00 ... 0x09] = HTTP_ROUTE_STRANGE,
	['\n'] = HTTP_ROUTE_STOP,
	[0x0b ... 0x0c] = HTTP_ROUTE_STRANGE,
	['\r'] = HTTP_ROUTE_STOP,
	[0x0e ... 0x1f] = HTTP_ROUTE_STRANGE,
	[' '] = HTTP_ROUTE_STOP,
	['!'] = HTTP_ROUTE_MARK,
	['"'] = HTTP_ROUTE_STRANGE,
	['#'] = HTTP_ROUTE_STOP,
	['$'] = HTTP_ROUTE_MARK,
	['%'] = HTTP_ROUTE_STRANGE, /* what it hides may be an address of mail, or a name */
	['&' ... '*'] = HTTP_ROUTE_MARK,
	['+' ... ','] = HTTP_ROUTE_DOT,
	['-'] = HTTP_ROUTE_STOP,
	['.'] = HTTP_ROUTE_DOT,
	['/'] = HTTP_ROUTE_STOP,
	['0' ... '9'] = HTTP_ROUTE_DIGIT,
	[':'] = HTTP_ROUTE_DOT,
	[';'] = HTTP_ROUTE_STOP,
	['<'] = HTTP_ROUTE_STRANGE,
	['='] = HTTP_ROUTE_MARK,
	['>'] = HTTP_ROUTE_STRANGE,
	['?'] = HTTP_ROUTE_STOP,
	['@'] = HTTP_ROUTE_AT,
	['A' ... 'F'] = HTTP_ROUTE_HEX,
	['G' ... 'Z'] = HTTP_ROUTE_LETTER,
	['[' ... '^'] = HTTP_ROUTE_STRANGE,
	['_'] = HTTP_ROUTE_DOT,
	['`'] = HTTP_ROUTE_STRANGE,
	['a' ... 'f'] = HTTP_ROUTE_HEX,
	['g' ... 'z'] = HTTP_ROUTE_LETTER,
	['{' ... '}'] = HTTP_ROUTE_STRANGE,
	['~'] = HTTP_ROUTE_MARK,
	[0x7f ... 0xff] = HTTP_ROUTE_STRANGE,
};

#define HTTP_ROUTE_REST HTTP_ROUTE_CLASSES /* stands for all segments beyond the limit */

/* All segments of one class are one: which, does not matter. */
static __always_inline __u64 http_route_hash_segment(__u64 path, __u64 segment, __u8 class)
{
	path = (path + (class == HTTP_ROUTE_LITERAL ? segment : class)) * 0x9e3779b97f4a7c15ULL;
	return path ^ path >> 32;
}

#define HTTP_ROUTE_UUID_SIZE   36
#define HTTP_ROUTE_UUID_DASHES 4
#define HTTP_ROUTE_DASHED      0x80 /* elsewhere than in a UUID */
#define HTTP_ROUTE_HASH_LEAST  16   /* bytes; shorter ones may be words */
#define HTTP_ROUTE_TOKEN_LEAST 20   /* of letters and digits */
#define HTTP_ROUTE_WORD_MOST   64   /* longer ones are no words */

static __always_inline __u8 http_route_class(const struct http_route *route)
{
	__u8 seen = route->seen;
	__u8 unlike_hex = seen & ~(HTTP_ROUTE_DIGIT | HTTP_ROUTE_HEX);

	if (seen & HTTP_ROUTE_STRANGE)
		return HTTP_ROUTE_TOKEN;
	if (seen & HTTP_ROUTE_AT)
		return HTTP_ROUTE_EMAIL;
	if ((seen & HTTP_ROUTE_DIGIT) &&
	    !(seen & (HTTP_ROUTE_HEX | HTTP_ROUTE_LETTER | HTTP_ROUTE_MARK)))
		return HTTP_ROUTE_NUMBER;
	if (!unlike_hex && route->length == HTTP_ROUTE_UUID_SIZE &&
	    route->dashes == HTTP_ROUTE_UUID_DASHES)
		return HTTP_ROUTE_UUID;
	if (!unlike_hex && route->length >= HTTP_ROUTE_HASH_LEAST && !route->dashes)
		return HTTP_ROUTE_HASH;
	if (route->length > HTTP_ROUTE_WORD_MOST ||
	    (route->length >= HTTP_ROUTE_TOKEN_LEAST && (seen & HTTP_ROUTE_DIGIT)))
		return HTTP_ROUTE_TOKEN;
	return HTTP_ROUTE_LITERAL;
}

static __always_inline void http_route_begin_segment(struct http_route *route)
{
	route->segment = HTTP_ROUTE_HASH_START;
	route->length = 0;
	route->seen = 0;
	route->dashes = 0;
}

static __always_inline void http_route_end_segment(struct http_route_look *look)
{
	struct http_route *route = look->route;
	__u64 hash = route->segment;
	__u8 class;

	if (!route->length)
		return;
	class = http_route_class(route);
	if (route->slashes <= HTTP_ROUTE_SEGMENTS)
		route->path = http_route_hash_segment(
			route->path, hash,
			route->slashes < HTTP_ROUTE_SEGMENTS ? class : HTTP_ROUTE_REST);
	if (route->slashes < 0xff)
		route->slashes++;
	http_route_on_segment(look, hash, class);
}

static __always_inline void http_route_begin_path(struct http_route_look *look, __u32 at)
{
	struct http_route *route = look->route;

	route->phase = route->size > HTTP_ROUTE_PATH_LIMIT ? HTTP_ROUTE_NONE : HTTP_ROUTE_SEGMENT;
	route->path = 0;
	route->slashes = 0;
	route->size = 0;
	route->start = at - look->line;
	http_route_begin_segment(route);
}

static __always_inline void http_route_end_path(struct http_route_look *look)
{
	struct http_route *route = look->route;

	if (route->phase == HTTP_ROUTE_SEGMENT)
		http_route_end_segment(look);
	if (route->phase < HTTP_ROUTE_SEGMENT || route->size > HTTP_ROUTE_PATH_LIMIT)
		route->phase = HTTP_ROUTE_NONE;
	else if (route->phase != HTTP_ROUTE_NONE)
		route->phase = HTTP_ROUTE_END;
}

/* The path of an absolute form begins with its third slash: "http://host/path". */
#define HTTP_ROUTE_AUTHORITY_SLASHES 2

/* A slash at `at`. */
static __always_inline void http_route_slash(struct http_route_look *look, __u32 at)
{
	struct http_route *route = look->route;

	switch (route->phase) {
	case HTTP_ROUTE_TARGET:
		if (!route->length) {
			http_route_begin_path(look, at);
			break;
		}
		route->phase = HTTP_ROUTE_AUTHORITY;
		route->slashes = 1;
		break;
	case HTTP_ROUTE_AUTHORITY:
		if (route->slashes < HTTP_ROUTE_AUTHORITY_SLASHES)
			route->slashes++;
		else
			http_route_begin_path(look, at);
		break;
	case HTTP_ROUTE_SEGMENT:
		http_route_end_segment(look);
		http_route_begin_segment(route);
		break;
	case HTTP_ROUTE_PARAMETERS:
		route->phase = HTTP_ROUTE_SEGMENT;
		http_route_begin_segment(route);
		break;
	default:
		break;
	}
}

/* A space, or what else a target ends with. An absolute form without a path means "/". */
static __always_inline void http_route_end_target(struct http_route_look *look, __u32 at)
{
	struct http_route *route = look->route;

	if (route->phase == HTTP_ROUTE_AUTHORITY && route->slashes == HTTP_ROUTE_AUTHORITY_SLASHES)
		http_route_begin_path(look, at);
	http_route_end_path(look);
}

static __always_inline void http_route_dash(struct http_route *route)
{
	bool as_uuid = route->length == 8 || route->length == 13 || route->length == 18 ||
		       route->length == 23;

	route->dashes = as_uuid ? route->dashes + 1 : HTTP_ROUTE_DASHED;
	if (route->dashes > HTTP_ROUTE_UUID_DASHES)
		route->dashes = HTTP_ROUTE_DASHED;
	route->segment = http_route_hash_byte(route->segment, '-');
	route->length++;
}

static __always_inline void http_route_space(struct http_route_look *look, __u32 at)
{
	struct http_route *route = look->route;

	if (route->phase == HTTP_ROUTE_METHOD) {
		route->phase = HTTP_ROUTE_TARGET;
		route->size = 0;
		http_route_begin_segment(route);
	} else if (route->phase != HTTP_ROUTE_TARGET || route->length) {
		http_route_end_target(look, at);
	}
}

/* A byte to be looked at one by one, at `at`. */
static __always_inline void http_route_stop(struct http_route_look *look, __u32 at, __u8 c)
{
	struct http_route *route = look->route;

	if (c == '/') {
		http_route_slash(look, at);
	} else if (c == '-') {
		http_route_dash(route);
	} else if (c == ' ') {
		http_route_space(look, at);
	} else if (c == ';') {
		if (route->phase == HTTP_ROUTE_SEGMENT) {
			http_route_end_segment(look);
			route->phase = HTTP_ROUTE_PARAMETERS;
		}
	} else if (route->phase != HTTP_ROUTE_METHOD) { /* before it, empty lines are allowed */
		http_route_end_target(look, at);
	}
}

#define HTTP_ROUTE_STEP 8

/*
 * One step from look->at on: some bytes, or up to one to be looked at. Returns 1 at the end of the
 * path or of the piece.
 */
static long http_route_step(__u32 step, void *context)
{
	struct http_route_look *look = context;
	struct http_route *route = look->route;
	__u64 hash = route->segment;
	__u32 at = look->at, i;
	__u8 seen = 0, kind = 0, c = 0;

	(void)step;
	for (i = 0; i < HTTP_ROUTE_STEP && at < look->size; i++) {
		c = look->bytes[http_route_index(at)];
		kind = http_route_bytes[c];
		if (kind & HTTP_ROUTE_STOP)
			break;
		hash = http_route_hash_byte(hash, c);
		seen |= kind;
		at++;
	}
	route->segment = hash;
	route->seen |= seen;
	route->length += i;
	route->size += i;
	look->at = at;
	if (kind & HTTP_ROUTE_STOP) {
		route->size++;
		look->at = at + 1;
		http_route_stop(look, at, c);
	}
	if (route->size > HTTP_ROUTE_PATH_LIMIT && route->phase > HTTP_ROUTE_METHOD)
		http_route_end_path(look);
	return route->phase >= HTTP_ROUTE_END || look->at >= look->size;
}

#endif
