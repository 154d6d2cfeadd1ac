/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Heads of HTTP/1 that look like one before. To read a head line by line (http_head.h) takes some
 * 14 ns a line, since where a line begins is known only when the one before has been read. The
 * heads of one program are alike, though: so one that has been read is remembered as a shape, and
 * the next one compared with it, 64 bytes in a go. Where it is the same but for values that tell
 * nothing, it means the same, and has been read. Both halves compile this, as they do http_head.h.
 *
 * What may differ: the line of a request, which is judged anew; the digits of Content-Length, which
 * are read anew, however many they are; and the values of headers that are of no interest, as long
 * as they are as long as before, and nothing in them could end a line.
 *
 * A sender can change the bytes between the look at them and their being learned (MSG_ZEROCOPY,
 * sendfile), so a shape may say what its head did not. It is for heads of its own namespace alone.
 */
#ifndef SKEP_BPF_LIB_HTTP_SHAPE_H
#define SKEP_BPF_LIB_HTTP_SHAPE_H

#include "bpf/lib/http_head.h"
#include "bpf/lib/likely.h"

#define HTTP_SHAPE_SIZE	  512 /* bytes of a head; longer ones are not remembered */
#define HTTP_SHAPE_BLOCK  64
#define HTTP_SHAPE_HALF	  (HTTP_SHAPE_BLOCK / 2)
#define HTTP_SHAPE_DIGITS 9   /* of a length that may differ */
#define HTTP_SHAPE_LINE	  128 /* so long a line of a request is reckoned with */

/* Half a block. */
struct http_half {
	__u8 bytes[HTTP_SHAPE_HALF]; /* words of them, that may lie anywhere */
};

/*
 * The bytes of a head, of a request from the end of its first line on, without the digits of its
 * length. Of what must be the same, all bits are in `same`; of what may differ, the highest ones of
 * its bytes. There is room for a block behind.
 */
struct http_shape {
	union {
		__u64 owner;
		struct {
			__u32 namespace; /* as in struct http_target */
			__u32 taken;	 /* somebody changes it */
		};
	};
	__u64 body;
	__u16 size;   /* of the bytes; 0: nothing is remembered */
	__u16 digits; /* so many of them are before the digits; 0: no length is read anew */
	__u16 status;
	__u8 flags; /* HTTP_HEAD_... */
	/* How well it does; see http_shape_is_due(). */
	__u8 patience;
	__u16 hits;
	__u16 wait;
	__u16 reach; /* so many bytes of a head may tell whether it is like this one */
	__u8 stale;  /* a head was like it that was not the same */
	__u8 reserved;
	__u8 bytes[HTTP_SHAPE_SIZE + HTTP_SHAPE_BLOCK];
	__u8 same[HTTP_SHAPE_SIZE + HTTP_SHAPE_BLOCK];
};

/*
 * A head that may be like a shape, with room for a block behind it. The kernel's verifier adds the
 * largest place in a shape and the largest distance of that from the place in the head, so there is
 * room for both.
 */
struct http_sight {
	__u64 zero; /* always: http_forget() */
	__u8 bytes[2 * HTTP_SHAPE_SIZE + HTTP_SHAPE_BLOCK];
};

_Static_assert(HTTP_SHAPE_SIZE >= HTTP_WINDOW_END, "http_is_outside() holds for a sight as well");

/* The highest bit of bytes that are no control characters; those beyond ASCII aside. */
static __always_inline __u64 http_find_plain(__u64 word)
{
	return (word & HTTP_EACH(0x7f)) + HTTP_EACH(0x80 - ' ');
}

/* Not 0 where a word differs in what must be the same, or in which of its bytes are plain. */
static __always_inline __u64 http_word_departs(__u64 word, __u64 known, __u64 same)
{
	__u64 plain = (http_find_plain(word) ^ http_find_plain(known)) & HTTP_EACH(0x80);

	return ((word ^ known) | plain) & same;
}

/* Are two halves of blocks, which differ, alike all the same? */
http_global int http_half_is_alike(const struct http_half *seen, const struct http_half *known,
				   const struct http_half *same)
{
	__u64 departs = 0;

	if (!seen || !known || !same)
		return false;
	for (int i = 0; i < HTTP_SHAPE_HALF; i += 8)
		departs |=
			http_word_departs(http_load(seen->bytes + i), http_load(known->bytes + i),
					  http_load(same->bytes + i));
	return !departs;
}

/* Not 0 where 32 bytes differ. */
static __always_inline __u64 http_half_differs(const __u8 *a, const __u8 *b)
{
	return (http_load(a) ^ http_load(b)) | (http_load(a + 8) ^ http_load(b + 8)) |
	       (http_load(a + 16) ^ http_load(b + 16)) | (http_load(a + 24) ^ http_load(b + 24));
}

#ifdef __bpf__
#define http_is_out_of_sight(index)                                                                \
	({                                                                                         \
		asm volatile("" : "+r"(index));                                                    \
		index >= HTTP_SHAPE_SIZE;                                                          \
	})
/* Of an index in sight. Kernel 6.1 bounds the register that was compared, and no copy of it. */
#define http_bound(index) asm volatile("%0 &= %1" : "+r"(index) : "i"(HTTP_SHAPE_SIZE - 1))
#else
#define http_is_out_of_sight(index) ((index) >= HTTP_SHAPE_SIZE)
#define http_bound(index)	    ((void)(index))
#endif

/* Reads the digits of a length. Returns where they end; what is not a digit, the shape knows. */
static __always_inline __u64 http_glance_at_length(struct http_head *head,
						   const struct http_sight *sight, __u64 at)
{
	__u64 length = 0;

	for (int i = 0; i < HTTP_SHAPE_DIGITS; i++, at++) {
		if (http_is_out_of_sight(at) || !http_is_digit(sight->bytes[at]))
			break;
		length = length * 10 + (sight->bytes[at] - '0');
	}
	head->body = http_forget(length, sight->zero);
	return at;
}

/* Are `size` bytes, half a block or a whole one, alike, which differ? */
static __always_inline bool http_block_is_alike(struct http_shape *shape, const __u8 *seen,
						__u64 from, __u64 size)
{
	for (__u64 i = 0; i < size; i += HTTP_SHAPE_HALF)
		if (!http_half_is_alike((const void *)(seen + from + i),
					(const void *)(shape->bytes + from + i),
					(const void *)(shape->same + from + i)))
			return false;
	shape->stale = true;
	return true;
}

/*
 * Is what is seen alike, from `from` on? It is looked at `step` bytes at a time, a block of them or
 * half a block; the last ones begin at `last`, before those before them have ended.
 */
static __always_inline bool http_run_is_alike(struct http_shape *shape, const __u8 *seen,
					      __u64 from, __u64 last, __u64 step)
{
	const int steps = step == HTTP_SHAPE_BLOCK ? HTTP_SHAPE_SIZE / HTTP_SHAPE_BLOCK : 2;

	for (int i = 0; i < steps; i++) {
		__u64 differs;

		if (http_is_out_of_sight(from))
			return false;
		differs = http_half_differs(seen + from, shape->bytes + from);
		if (step == HTTP_SHAPE_BLOCK)
			differs |= http_half_differs(seen + from + HTTP_SHAPE_HALF,
						     shape->bytes + from + HTTP_SHAPE_HALF);
		if (unlikely(differs) && !http_block_is_alike(shape, seen, from, step))
			return false;
		if (from == last)
			return true;
		from += step;
		if (from > last)
			from = last;
	}
	return false;
}

/* Of less than half a block, what the shape has behind it must not matter. */
static __always_inline bool http_is_alike(struct http_shape *shape, const __u8 *seen, __u64 from,
					  __u64 end)
{
	if (end - from >= HTTP_SHAPE_BLOCK)
		return http_run_is_alike(shape, seen, from, end - HTTP_SHAPE_BLOCK,
					 HTTP_SHAPE_BLOCK);
	if (end - from >= HTTP_SHAPE_HALF)
		return http_run_is_alike(shape, seen, from, end - HTTP_SHAPE_HALF, HTTP_SHAPE_HALF);
	return !http_is_out_of_sight(from) &&
	       http_half_is_alike((const void *)(seen + from), (const void *)(shape->bytes + from),
				  (const void *)(shape->same + from));
}

/*
 * Follows a shape from `start` on, and reads a length on the way. Returns where the head ends, or 0
 * where it is not like the shape.
 */
http_global int http_follow_shape(struct http_head *head, struct http_shape *shape,
				  const struct http_sight *sight, __u64 start)
{
	__u64 from = 0, end, at, digits;

	if (!head || !shape || !sight)
		return 0;
	end = shape->digits ? shape->digits : shape->size;
	for (int run = 0; run < 2; run++) {
		if (http_is_out_of_sight(start))
			return 0;
		http_bound(start);
		if (!http_is_alike(shape, sight->bytes + start, from, end))
			return 0;
		if (end == shape->size) /* there is no length, or this was behind it */
			return start + end;
		at = start + end;
		digits = http_glance_at_length(head, sight, at) - at;
		if (!digits)
			return 0;
		start = http_forget(start + digits, sight->zero);
		from = end;
		end = shape->size;
	}
	return 0;
}

/* Judges the line of a request. Returns where it ends, or 0 where it is none. */
http_global int http_glance_at_request(struct http_head *head, const struct http_sight *sight)
{
	__u64 end;

	if (!head || !sight)
		return 0;
	end = http_forget(http_seek_odd(sight->bytes, 0), sight->zero);
	if (http_is_outside(end) || !http_judge_request(head, sight->bytes, 0, end, true))
		return 0;
	return end;
}

/*
 * Reads a whole head, of which the first `size` bytes are in sight, by a shape. Returns its size,
 * and what http_look() would have told of it in `head`; or 0, where it is not like that.
 */
static __always_inline __u32 http_glance(struct http_head *head, struct http_shape *shape,
					 const struct http_sight *sight, __u32 size)
{
	__u64 start = 0;
	__u32 end;

	if (unlikely(!shape->size))
		return 0;
	if (head->flags & HTTP_HEAD_REQUEST) {
		start = http_glance_at_request(head, sight);
		if (unlikely(!start))
			return 0;
	}
	head->body = shape->body;
	end = http_follow_shape(head, shape, sight, start);
	if (unlikely(!end || end > size))
		return 0;
	head->flags = shape->flags;
	head->status = shape->status;
	head->state = HTTP_HEADERS;
	return end;
}

/* --- how a shape stays young --- */

/*
 * The date of responses changes once a second, and what differs takes longer to compare. So once in
 * so many heads, what was seen goes into the shape: word by word, as far as it is alike, which
 * makes the shape take just the heads that it took before. Nobody else may change it meanwhile.
 */
#define HTTP_SHAPE_RENEWS 64

static __always_inline void http_renew_word(struct http_shape *shape, const __u8 *seen, __u64 at)
{
	__u64 word, known;

	if (http_is_out_of_sight(at))
		return;
	word = http_load(seen + at);
	asm volatile("" : "+r"(word)); /* it is read once, as it may change */
	known = http_load(shape->bytes + at);
	if (word != known && !http_word_departs(word, known, http_load(shape->same + at)))
		http_store(shape->bytes + at, word);
}

/* Of a response with so many digits of a length, in sight. */
http_global int http_renew(struct http_shape *shape, const struct http_sight *sight, __u64 digits)
{
	const __u8 *seen;
	__u64 at = 0;

	if (!shape || !sight || http_is_out_of_sight(digits))
		return 0;
	for (int i = 0; i < HTTP_SHAPE_SIZE / 8 && at + 8 <= shape->size; i++) {
		http_bound(digits);
		seen = sight->bytes;
		if (shape->digits && at >= shape->digits)
			seen += digits;
		if (!shape->digits || at >= shape->digits || at + 8 <= shape->digits)
			http_renew_word(shape, seen, at);
		at = http_forget(at + 8, sight->zero);
	}
	shape->stale = false;
	return 0;
}

/* --- how a shape is made --- */

/* From `at` in a head to `to` in its shape, byte by byte. */
struct http_learning {
	struct http_shape *shape;
	struct http_sight *sight;
	__u32 size; /* of the head */
	__u32 at;
	__u32 to;
	__u32 line;  /* bytes of the line so far */
	__u32 fixed; /* bytes of the line that must be the same */
	bool length; /* it is the line of the length */
	bool had_length;
	bool fails;
};

#define HTTP_ALL_FIXED	   0xffff
#define HTTP_LENGTH_PREFIX 16 /* "Content-Length: " */

/*
 * How many bytes of a header make that it is not of interest, whatever else is in it: up to the
 * colon, or so many that no name that is of interest begins with them (http_judge_header()).
 */
static __always_inline __u32 http_fixed_bytes(__u64 word, __u64 next)
{
	__u64 differing = word ^ HTTP_EACH(':');
	__u64 colon = (differing - HTTP_EACH(0x01)) & ~differing & HTTP_EACH(0x80);

	word |= HTTP_LOWER;
	next |= HTTP_LOWER;
	if (HTTP_IS_TRANSFER(word) ||
	    (HTTP_IS_CONTENT(word) && HTTP_IS(next, 7, 'l', 'e', 'n', 'g', 't', 'h', ':', 0)))
		return HTTP_ALL_FIXED;
	if (HTTP_IS_CONTENT(word))
		return 16;
	return colon ? http_first_byte(colon) + 1 : 8;
}

static __always_inline void http_learn_line(struct http_learning *learning, __u64 at)
{
	const __u8 *line = learning->sight->bytes + at;
	__u64 word = http_load(line), next = http_load(line + 8);

	learning->line = 0;
	learning->fixed = http_fixed_bytes(word, next);
	learning->length = HTTP_IS_CONTENT(word | HTTP_LOWER) && learning->fixed == HTTP_ALL_FIXED;
	if (learning->length && learning->had_length) /* which one counts is too much to know */
		learning->fails = true;
	learning->had_length |= learning->length;
}

/* The digits of the length begin here, which are left out. */
static __always_inline void http_learn_length(struct http_learning *learning, __u64 at)
{
	const __u8 *bytes = learning->sight->bytes;
	__u64 before = at - 1, end = at;

	learning->length = false;
	if (http_is_out_of_sight(before) || bytes[before] != ' ')
		return;
	for (int i = 0; i < HTTP_SHAPE_DIGITS; i++, end++)
		if (http_is_out_of_sight(end) || !http_is_digit(bytes[end]))
			break;
	if (end == at || http_is_out_of_sight(end) || bytes[end] != '\r')
		return; /* it must be the same */
	learning->shape->digits = learning->to;
	learning->fails |= learning->to < HTTP_SHAPE_HALF; /* see http_is_alike() */
	learning->at = end;
}

/* Takes one byte of the head into its shape. Returns 1 at the end. */
static __always_inline long http_learn_byte(struct http_learning *learning)
{
	__u64 at, to;
	__u8 c;

	at = learning->at;
	if (at >= learning->size || http_is_out_of_sight(at))
		return 1;
	if (learning->length && learning->line == HTTP_LENGTH_PREFIX &&
	    learning->shape->flags & HTTP_HEAD_LENGTH)
		http_learn_length(learning, at);
	at = learning->at;
	to = learning->to;
	if (http_is_out_of_sight(at) || http_is_out_of_sight(to) || learning->fails) {
		learning->fails = true;
		return 1;
	}
	c = learning->sight->bytes[at];
	learning->shape->bytes[to] = c;
	learning->shape->same[to] =
		learning->line < learning->fixed || c < ' ' || c >= 0x80 ? 0xff : 0x80;
	learning->line++;
	learning->at = at + 1;
	learning->to = to + 1;
	at++;
	if (c == '\n' && !http_is_out_of_sight(at))
		http_learn_line(learning, at);
	return 0;
}

/* A shape that never fits costs more than it saves: the next one is waited for ever longer. */
#define HTTP_SHAPE_PAYS	    64 /* hits */
#define HTTP_SHAPE_PATIENCE 8  /* waits for up to 2^this heads */

static __always_inline bool http_shape_is_due(struct http_shape *shape)
{
	if (shape->wait) {
		shape->wait--;
		return false;
	}
	if (shape->hits >= HTTP_SHAPE_PAYS)
		shape->patience = 0;
	else if (shape->patience < HTTP_SHAPE_PATIENCE)
		shape->patience++;
	shape->wait = (1U << (shape->patience & 15)) - 1;
	shape->hits = 0;
	return true;
}

/* Begins a shape of a head that http_look() has read, `size` bytes, which are in sight. */
static __always_inline void http_learn_begin(struct http_learning *learning,
					     const struct http_head *head)
{
	struct http_shape *shape = learning->shape;
	__u64 start = 0;

	__builtin_memset(shape->same, 0, sizeof(shape->same));
	shape->size = 0;
	shape->digits = 0;
	shape->flags = head->flags & (HTTP_HEAD_REQUEST | HTTP_HEAD_LENGTH | HTTP_HEAD_CHUNKED);
	shape->body = head->body;
	shape->status = head->status;
	learning->fixed = HTTP_ALL_FIXED;
	if (head->flags & HTTP_HEAD_REQUEST) {
		start = http_seek_odd(learning->sight->bytes, 0);
		learning->fails = http_is_outside(start);
	} else {
		/* Behind an empty line, the status would count as a header of no interest. */
		learning->fails = learning->sight->bytes[0] < ' ';
	}
	learning->at = start;
}

static __always_inline void http_learn_end(struct http_learning *learning)
{
	struct http_shape *shape = learning->shape;
	__u32 reach = learning->to;

	if (learning->fails || learning->at != learning->size)
		return;
	reach += shape->flags & HTTP_HEAD_REQUEST ? HTTP_SHAPE_LINE : HTTP_SHAPE_DIGITS;
	shape->reach = reach < HTTP_SHAPE_SIZE ? reach : HTTP_SHAPE_SIZE;
	shape->size = learning->to;
}

#endif
