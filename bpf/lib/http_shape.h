/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Heads of HTTP/1 that look like one before. To read a head line by line (http_head.h) takes some
 * 14 ns a line, since where a line begins is known only when the one before has been read. The
 * heads of one program are alike, though: so one that has been read is remembered as a shape, and
 * the next one compared with it, 32 bytes in a go. Where it is the same but for values that tell
 * nothing, it means the same, and has been read. Both halves compile this, as they do http_head.h.
 *
 * What may differ: the line of a request, which is judged anew; the digits of Content-Length, which
 * are read anew, however many they are; and the values of headers that are of no interest, as long
 * as they are as long as before, and nothing in them could end a line.
 */
#ifndef SKEP_BPF_LIB_HTTP_SHAPE_H
#define SKEP_BPF_LIB_HTTP_SHAPE_H

#include "bpf/lib/http_head.h"

#define HTTP_SHAPE_SIZE	  512 /* bytes of a head; longer ones are not remembered */
#define HTTP_SHAPE_BLOCK  32
#define HTTP_SHAPE_BLOCKS (HTTP_SHAPE_SIZE / HTTP_SHAPE_BLOCK)
#define HTTP_SHAPE_DIGITS 9   /* of a length that may differ */
#define HTTP_SHAPE_LINE	  128 /* so long a line of a request is reckoned with */

struct http_shape {
	__u32 taken;   /* somebody changes it */
	__u16 blocks;  /* 0: nothing is remembered */
	__u16 size;    /* of the head that it was made from */
	__u16 padding; /* bytes of the last block behind the head */
	__u16 digits;  /* where the length's digits begin; 0: no length is read anew */
	__u16 split;   /* what is behind the digits begins with this block */
	__u16 status;
	__u64 body;
	__u8 flags; /* HTTP_HEAD_... */
	/* How well it does; see http_shape_is_due(). */
	__u8 patience;
	__u16 hits;
	__u32 wait;
	/*
	 * The head, of a request from the end of its first line on, in blocks. Of what must be
	 * the same, all bits are in `same`; of what may differ, the highest ones of its bytes.
	 */
	__u64 words[HTTP_SHAPE_SIZE / 8];
	__u64 same[HTTP_SHAPE_SIZE / 8];
};

/* A head that may be like a shape. Blocks may begin before its end and go beyond. */
struct http_sight {
	__u64 zero; /* always: http_forget() */
	__u8 bytes[HTTP_SHAPE_SIZE + HTTP_SHAPE_BLOCK];
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

static __always_inline bool http_block_is_alike(const __u8 *bytes, const __u64 *known,
						const __u64 *same)
{
	__u64 first = http_load(bytes), second = http_load(bytes + 8),
	      third = http_load(bytes + 16), fourth = http_load(bytes + 24);

	if (!((first ^ known[0]) | (second ^ known[1]) | (third ^ known[2]) | (fourth ^ known[3])))
		return true;
	return !(http_word_departs(first, known[0], same[0]) |
		 http_word_departs(second, known[1], same[1]) |
		 http_word_departs(third, known[2], same[2]) |
		 http_word_departs(fourth, known[3], same[3]));
}

#ifdef __bpf__
#define http_is_out_of_sight(index)                                                                \
	({                                                                                         \
		asm volatile("" : "+r"(index));                                                    \
		index >= HTTP_SHAPE_SIZE;                                                          \
	})
#else
#define http_is_out_of_sight(index) ((index) >= HTTP_SHAPE_SIZE)
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

/* From `start` on: returns where the head ends, or 0 where it is not like the shape. */
static __always_inline __u64 http_follow_shape(struct http_head *head,
					       const struct http_shape *shape,
					       const struct http_sight *sight, __u64 start)
{
	__u64 at = start, digits;

	for (int i = 0; i < HTTP_SHAPE_BLOCKS; i++, at += HTTP_SHAPE_BLOCK) {
		if (i == shape->blocks)
			return at - shape->padding;
		if (i && i == shape->split) {
			digits = start + shape->digits;
			at = http_glance_at_length(head, sight, digits);
			if (at == digits)
				return 0;
		}
		at = http_forget(at, sight->zero);
		if (http_is_out_of_sight(at) ||
		    !http_block_is_alike(sight->bytes + at, shape->words + 4 * i,
					 shape->same + 4 * i))
			return 0;
	}
	return shape->blocks == HTTP_SHAPE_BLOCKS ? at - shape->padding : 0;
}

/*
 * Reads a whole head, of which the first `size` bytes are in sight, by a shape. Returns its size,
 * and what http_look() would have told of it in `head`; or 0, where it is not like that.
 */
http_global int http_glance(struct http_head *head, const struct http_shape *shape,
			    const struct http_sight *sight, __u32 size)
{
	__u64 start = 0, end;

	if (!head || !shape || !sight || !shape->blocks)
		return 0;
	head->body = shape->body;
	head->flags = (head->flags & HTTP_HEAD_REQUEST) | shape->flags;
	head->status = shape->status;
	head->state = HTTP_HEADERS;
	if (head->flags & HTTP_HEAD_REQUEST) {
		head->state = HTTP_START;
		start = http_forget(http_seek_odd(sight->bytes, 0), sight->zero);
		if (http_is_outside(start))
			return 0;
		http_judge_request(head, sight->bytes, 0, start, true);
	}
	if (head->state != HTTP_HEADERS)
		return 0;
	end = http_follow_shape(head, shape, sight, start);
	return end <= size ? end : 0;
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

/* The digits of the length begin here: what is behind them begins a block. */
static __always_inline void http_learn_length(struct http_learning *learning, __u64 at)
{
	const __u8 *bytes = learning->sight->bytes;
	struct http_shape *shape = learning->shape;
	__u64 before = at - 1, end = at;

	learning->length = false;
	if (http_is_out_of_sight(before) || bytes[before] != ' ')
		return;
	for (int i = 0; i < HTTP_SHAPE_DIGITS; i++, end++)
		if (http_is_out_of_sight(end) || !http_is_digit(bytes[end]))
			break;
	if (end == at || http_is_out_of_sight(end) || bytes[end] != '\r')
		return; /* it must be the same */
	shape->digits = learning->to;
	shape->split = (learning->to + HTTP_SHAPE_BLOCK - 1) / HTTP_SHAPE_BLOCK;
	learning->to = shape->split * HTTP_SHAPE_BLOCK;
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
	((__u8 *)learning->shape->words)[to] = c;
	((__u8 *)learning->shape->same)[to] =
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
	shape->blocks = 0;
	shape->digits = 0;
	shape->split = 0;
	shape->size = learning->size;
	shape->flags = head->flags & (HTTP_HEAD_LENGTH | HTTP_HEAD_CHUNKED);
	shape->body = head->body;
	shape->status = head->status;
	learning->fixed = HTTP_ALL_FIXED;
	if (head->flags & HTTP_HEAD_REQUEST) {
		start = http_seek_odd(learning->sight->bytes, 0);
		learning->fails = http_is_outside(start);
	}
	learning->at = start;
}

static __always_inline void http_learn_end(struct http_learning *learning)
{
	struct http_shape *shape = learning->shape;

	if (learning->fails || learning->at != learning->size)
		return;
	shape->blocks = (learning->to + HTTP_SHAPE_BLOCK - 1) / HTTP_SHAPE_BLOCK;
	shape->padding = shape->blocks * HTTP_SHAPE_BLOCK - learning->to;
}

#endif
