/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* DNS messages for tests, put together piece by piece, right or wrong. */
#ifndef SKEP_NODE_AGENT_PROBES_TESTS_DNS_WIRE_H
#define SKEP_NODE_AGENT_PROBES_TESTS_DNS_WIRE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define WIRE_SIZE     4096
#define WIRE_ANSWER   0x8180 /* with recursion desired and available */
#define WIRE_QUERY    0x0100
#define WIRE_QUESTION 0xc00c /* a pointer to the name of the question */

struct wire {
	uint8_t data[WIRE_SIZE];
	size_t size;
};

static inline void wire_u8(struct wire *wire, unsigned int value)
{
	wire->data[wire->size++] = (uint8_t)value;
}

static inline void wire_u16(struct wire *wire, unsigned int value)
{
	wire_u8(wire, value >> 8);
	wire_u8(wire, value & 0xff);
}

static inline void wire_u32(struct wire *wire, uint32_t value)
{
	wire_u16(wire, value >> 16);
	wire_u16(wire, value & 0xffff);
}

static inline void wire_header(struct wire *wire, unsigned int id, unsigned int flags,
			       unsigned int questions, unsigned int answers)
{
	wire_u16(wire, id);
	wire_u16(wire, flags);
	wire_u16(wire, questions);
	wire_u16(wire, answers);
	wire_u16(wire, 0);
	wire_u16(wire, 0);
}

static inline void wire_additionals(struct wire *wire, unsigned int count)
{
	wire->data[11] = (uint8_t)count;
}

/* "a.b" as labels; "" or "." is the root. */
static inline void wire_name(struct wire *wire, const char *name)
{
	while (*name && strcmp(name, ".") != 0) {
		size_t length = strcspn(name, ".");

		wire_u8(wire, (unsigned int)length);
		for (size_t i = 0; i < length; i++)
			wire_u8(wire, (uint8_t)name[i]);
		name += length + (name[length] == '.');
	}
	wire_u8(wire, 0);
}

static inline void wire_question(struct wire *wire, const char *name, unsigned int type)
{
	wire_name(wire, name);
	wire_u16(wire, type);
	wire_u16(wire, 1);
}

/* The head of a record that belongs to the name of the question. */
static inline void wire_record(struct wire *wire, unsigned int type, uint32_t ttl,
			       unsigned int size)
{
	wire_u16(wire, WIRE_QUESTION);
	wire_u16(wire, type);
	wire_u16(wire, 1);
	wire_u32(wire, ttl);
	wire_u16(wire, size);
}

static inline void wire_a(struct wire *wire, uint32_t ttl, uint32_t address)
{
	wire_record(wire, 1, ttl, 4);
	wire_u32(wire, address);
}

static inline void wire_opt(struct wire *wire, unsigned int extended_code)
{
	wire_u8(wire, 0);
	wire_u16(wire, 41);
	wire_u16(wire, 1232);
	wire_u32(wire, extended_code << 24);
	wire_u16(wire, 0);
}

/* A whole query or answer without records. */
static inline struct wire wire_plain(unsigned int id, unsigned int flags, const char *name,
				     unsigned int type)
{
	struct wire wire = {.size = 0};

	wire_header(&wire, id, flags, 1, 0);
	wire_question(&wire, name, type);
	return wire;
}

#endif
