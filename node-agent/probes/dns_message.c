// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEADER_SIZE	12
#define NAME_WIRE_LIMIT 255 /* bytes of a name in a message, the root's included */
#define POINTER_LIMIT	16  /* in one name */
#define ESCAPE_SIZE	5   /* "\255" and its NUL */

#define FLAG_ANSWER    0x8000
#define FLAG_TRUNCATED 0x0200

#define CLASS_INTERNET 1
#define TYPE_OPT       41

/* The part of a message that there is, and how far it has been read. */
struct cursor {
	const uint8_t *data;
	size_t size;
	size_t at;
};

struct counts {
	uint16_t questions;
	uint16_t answers;
	uint16_t authorities;
	uint16_t additionals;
};

struct record {
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	uint16_t size;
	const uint8_t *data;
};

static bool read_u8(struct cursor *cursor, uint8_t *ret_value)
{
	if (cursor->at >= cursor->size)
		return false;
	*ret_value = cursor->data[cursor->at++];
	return true;
}

static bool read_u16(struct cursor *cursor, uint16_t *ret_value)
{
	const uint8_t *bytes = cursor->data + cursor->at;

	if (cursor->size - cursor->at < 2)
		return false;
	*ret_value = (uint16_t)(bytes[0] << 8 | bytes[1]);
	cursor->at += 2;
	return true;
}

static bool read_u32(struct cursor *cursor, uint32_t *ret_value)
{
	uint16_t high, low;

	if (!read_u16(cursor, &high) || !read_u16(cursor, &low))
		return false;
	*ret_value = (uint32_t)high << 16 | low;
	return true;
}

/* A name as it becomes text. */
struct name_text {
	char *text; /* DNS_NAME_SIZE bytes */
	size_t length;
	bool cut;
};

static void append(struct name_text *name, const char *piece)
{
	size_t length = strlen(piece);

	if (name->cut || name->length + length >= DNS_NAME_SIZE) {
		name->cut = true;
		return;
	}
	memcpy(name->text + name->length, piece, length + 1);
	name->length += length;
}

static void append_byte(struct name_text *name, uint8_t byte)
{
	char piece[ESCAPE_SIZE];

	if (byte >= 'A' && byte <= 'Z')
		byte = (uint8_t)(byte - 'A' + 'a');
	if (byte == '.' || byte == '\\')
		snprintf(piece, sizeof(piece), "\\%c", byte);
	else if (byte > ' ' && byte <= '~')
		snprintf(piece, sizeof(piece), "%c", byte);
	else
		snprintf(piece, sizeof(piece), "\\%03u", byte);
	append(name, piece);
}

/* A label behind its length; `name` may be NULL. */
static bool read_label(struct cursor *cursor, size_t length, struct name_text *name)
{
	if (cursor->size - cursor->at < length)
		return false;
	if (name && name->length > 0)
		append(name, ".");
	for (size_t i = 0; name && i < length; i++)
		append_byte(name, cursor->data[cursor->at + i]);
	cursor->at += length;
	return true;
}

/*
 * Reads a name and moves on behind it; `name` may be NULL. A pointer must lead to a place before
 * all that was read of this name so far, so that no name is endless.
 */
static bool read_name(struct cursor *cursor, struct name_text *name)
{
	size_t start = cursor->at, behind = 0, wire = 0;
	uint8_t length, low;

	for (int pointers = 0; read_u8(cursor, &length);) {
		if (length >= 0xc0) {
			if (!read_u8(cursor, &low) || ++pointers > POINTER_LIMIT)
				return false;
			if (!behind)
				behind = cursor->at;
			cursor->at = (size_t)(length & 0x3f) << 8 | low;
			if (cursor->at < HEADER_SIZE || cursor->at >= start)
				return false;
			start = cursor->at;
			continue;
		}
		wire += length + 1U;
		if (length >= 0x40 || wire > NAME_WIRE_LIMIT)
			return false;
		if (length > 0 && !read_label(cursor, length, name))
			return false;
		if (length == 0) {
			cursor->at = behind ? behind : cursor->at;
			return true;
		}
	}
	return false;
}

static bool read_header(struct cursor *cursor, struct dns_message *message,
			struct counts *ret_counts)
{
	uint16_t flags;

	if (!read_u16(cursor, &message->id) || !read_u16(cursor, &flags) ||
	    !read_u16(cursor, &ret_counts->questions) || !read_u16(cursor, &ret_counts->answers) ||
	    !read_u16(cursor, &ret_counts->authorities) ||
	    !read_u16(cursor, &ret_counts->additionals))
		return false;
	message->is_answer = flags & FLAG_ANSWER;
	message->truncated = flags & FLAG_TRUNCATED;
	message->operation = flags >> 11 & 0xf;
	message->code = flags & 0xf;
	return ret_counts->questions == 1;
}

static bool read_question(struct cursor *cursor, struct dns_message *message)
{
	struct name_text name = {.text = message->name};
	uint16_t class;

	message->name[0] = '\0';
	if (!read_name(cursor, &name))
		return false;
	if (name.length == 0 && !name.cut)
		append(&name, ".");
	return read_u16(cursor, &message->type) && read_u16(cursor, &class);
}

static bool read_record(struct cursor *cursor, struct record *ret_record)
{
	if (!read_name(cursor, NULL) || !read_u16(cursor, &ret_record->type) ||
	    !read_u16(cursor, &ret_record->class) || !read_u32(cursor, &ret_record->ttl) ||
	    !read_u16(cursor, &ret_record->size) || cursor->size - cursor->at < ret_record->size)
		return false;
	ret_record->data = cursor->data + cursor->at;
	cursor->at += ret_record->size;
	return true;
}

/* Takes the address of an A or AAAA record; false where its length is not that of an address. */
static bool take_address(struct dns_message *message, const struct record *record)
{
	size_t size = record->type == DNS_TYPE_A ? 4 : 16;
	struct dns_address *address;

	if (record->class != CLASS_INTERNET ||
	    (record->type != DNS_TYPE_A && record->type != DNS_TYPE_AAAA))
		return true;
	if (record->size != size)
		return false;
	if (message->address_count == DNS_ADDRESSES_LIMIT)
		return true;
	address = &message->addresses[message->address_count++];
	memset(address->bytes, 0, 10);
	memset(address->bytes + 10, 0xff, 2);
	memcpy(address->bytes + sizeof(address->bytes) - size, record->data, size);
	/* one with the highest bit set stands for 0 (RFC 2181, 8) */
	address->ttl_s = record->ttl > INT32_MAX ? 0 : record->ttl;
	return true;
}

static bool read_sections(struct cursor *cursor, struct dns_message *message,
			  const struct counts *counts)
{
	struct record record;

	for (unsigned int i = 0; i < counts->answers; i++)
		if (!read_record(cursor, &record) || !take_address(message, &record))
			return false;
	for (unsigned int i = 0; i < counts->authorities; i++)
		if (!read_record(cursor, &record))
			return false;
	for (unsigned int i = 0; i < counts->additionals; i++) {
		if (!read_record(cursor, &record))
			return false;
		if (record.type == TYPE_OPT)
			message->code |= (uint16_t)(record.ttl >> 24 << 4);
	}
	return true;
}

int dns_message_parse(const uint8_t *data, size_t captured, size_t size,
		      struct dns_message *ret_message)
{
	struct cursor cursor = {.data = data, .size = captured};
	struct dns_message message = {0};
	struct counts counts;

	if (!read_header(&cursor, &message, &counts) || !read_question(&cursor, &message))
		return -EINVAL;
	/* Where not all was captured, an end that comes too early says nothing. */
	if (!read_sections(&cursor, &message, &counts))
		message.damaged = captured == size;
	*ret_message = message;
	return 0;
}
