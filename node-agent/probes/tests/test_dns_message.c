// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "node-agent/probes/dns_codes.h"
#include "node-agent/probes/dns_message.h"
#include "node-agent/probes/tests/dns_wire.h"

/* Parses a copy of just that size, so that the sanitizer sees its end. */
static int parse_part(const struct wire *wire, size_t captured, struct dns_message *ret_message)
{
	uint8_t *copy = malloc(captured ? captured : 1);
	int result;

	memcpy(copy, wire->data, captured);
	result = dns_message_parse(copy, captured, wire->size, ret_message);
	free(copy);
	return result;
}

static int parse(const struct wire *wire, struct dns_message *ret_message)
{
	return parse_part(wire, wire->size, ret_message);
}

static struct dns_message parsed(const struct wire *wire)
{
	struct dns_message message;

	assert_int_equal(parse(wire, &message), 0);
	return message;
}

static void reads_a_query(void **state)
{
	struct wire wire = wire_plain(0x1234, WIRE_QUERY, "Web.Shop.SVC.cluster.local", 28);
	struct dns_message message = parsed(&wire);

	(void)state;
	assert_int_equal(message.id, 0x1234);
	assert_false(message.is_answer);
	assert_false(message.truncated);
	assert_false(message.damaged);
	assert_int_equal(message.operation, 0);
	assert_int_equal(message.type, DNS_TYPE_AAAA);
	assert_string_equal(message.name, "web.shop.svc.cluster.local");
}

static void reads_addresses_with_their_ttl(void **state)
{
	static const uint8_t first[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
	struct wire wire = {.size = 0};
	struct dns_message message;

	(void)state;
	wire_header(&wire, 1, WIRE_ANSWER, 1, 4);
	wire_question(&wire, "www.example.com", 1);
	wire_record(&wire, 5, 300, 6); /* CNAME: web.[question's last two labels] */
	wire_u8(&wire, 3);
	wire_u8(&wire, 'w'), wire_u8(&wire, 'e'), wire_u8(&wire, 'b');
	wire_u16(&wire, 0xc010);
	wire_a(&wire, 60, 0xc0000207);
	wire_record(&wire, 28, 0x80000000, 16);
	for (unsigned int i = 0; i < 16; i++)
		wire_u8(&wire, i);
	wire_record(&wire, 16, 1, 1); /* TXT, of no interest */
	wire_u8(&wire, 0);
	message = parsed(&wire);
	assert_true(message.is_answer);
	assert_false(message.damaged);
	assert_int_equal(message.code, DNS_CODE_NOERROR);
	assert_int_equal(message.address_count, 2);
	assert_memory_equal(message.addresses[0].bytes, first, 16);
	assert_int_equal(message.addresses[0].ttl_s, 60);
	assert_int_equal(message.addresses[1].bytes[15], 15);
	assert_int_equal(message.addresses[1].ttl_s, 0);
}

static void keeps_a_bounded_number_of_addresses(void **state)
{
	struct wire wire = {.size = 0};

	(void)state;
	wire_header(&wire, 1, WIRE_ANSWER, 1, 40);
	wire_question(&wire, "many", 1);
	for (uint32_t i = 0; i < 40; i++)
		wire_a(&wire, 60, i);
	assert_int_equal(parsed(&wire).address_count, DNS_ADDRESSES_LIMIT);
	assert_false(parsed(&wire).damaged);
}

static void reads_codes_also_those_of_edns(void **state)
{
	struct wire nx = wire_plain(1, WIRE_ANSWER | 3, "none", 1);
	struct wire wire = wire_plain(1, WIRE_ANSWER | 0x200, "versions", 1);

	(void)state;
	assert_int_equal(parsed(&nx).code, DNS_CODE_NXDOMAIN);
	wire_additionals(&wire, 1);
	wire_opt(&wire, 1);
	assert_int_equal(parsed(&wire).code, 16);
	assert_true(parsed(&wire).truncated);
	assert_string_equal(dns_code_name(16), "BADVERS");
	assert_string_equal(dns_code_name(3), "NXDOMAIN");
	assert_null(dns_code_name(4095));
	assert_string_equal(dns_type_name(65), "HTTPS");
	assert_null(dns_type_name(65535));
}

static void escapes_what_is_no_plain_text(void **state)
{
	static const uint8_t label[] = {'A', '.', '\\', 0, '"', 0xff, ' ', '\n'};
	struct wire wire = {.size = 0};

	(void)state;
	wire_header(&wire, 1, WIRE_QUERY, 1, 0);
	wire_u8(&wire, sizeof(label));
	for (size_t i = 0; i < sizeof(label); i++)
		wire_u8(&wire, label[i]);
	wire_question(&wire, "org", 1);
	assert_string_equal(parsed(&wire).name, "a\\.\\\\\\000\"\\255\\032\\010.org");
	wire = wire_plain(1, WIRE_QUERY, ".", 2);
	assert_string_equal(parsed(&wire).name, ".");
}

/* The longest name of all, of bytes that need four characters each: cut, at a whole one. */
static void cuts_names_that_are_too_long_as_text(void **state)
{
	struct wire wire = {.size = 0};
	struct dns_message message;

	(void)state;
	wire_header(&wire, 1, WIRE_QUERY, 1, 0);
	for (int label = 0; label < 3; label++) {
		wire_u8(&wire, 63);
		for (int i = 0; i < 63; i++)
			wire_u8(&wire, 0xff);
	}
	wire_u8(&wire, 61);
	for (int i = 0; i < 61; i++)
		wire_u8(&wire, 'x');
	wire_question(&wire, "", 1);
	message = parsed(&wire);
	assert_int_equal(strlen(message.name), 253);
	assert_string_equal(message.name + 253 - 5, "\\255.");
}

static void plain_names_are_never_cut(void **state)
{
	struct wire wire = {.size = 0};

	(void)state;
	wire_header(&wire, 1, WIRE_QUERY, 1, 0);
	for (int label = 0; label < 4; label++) {
		wire_u8(&wire, label < 3 ? 63 : 61);
		for (int i = 0; i < (label < 3 ? 63 : 61); i++)
			wire_u8(&wire, 'x');
	}
	wire_question(&wire, "", 1);
	assert_int_equal(strlen(parsed(&wire).name), 253);
	assert_int_equal(strspn(parsed(&wire).name, "x."), 253);
}

/* Each of these is no message with one question. */
static void refuses_what_is_no_question(void **state)
{
	struct dns_message message;
	struct wire wire;

	(void)state;
	wire = wire_plain(1, WIRE_ANSWER, "example.com", 1);
	for (size_t size = 0; size < wire.size; size++)
		assert_int_equal(parse_part(&wire, size, &message), -EINVAL);
	assert_int_equal(parse(&wire, &message), 0);

	for (unsigned int questions = 0; questions < 4; questions++) {
		wire.data[5] = (uint8_t)questions;
		assert_int_equal(parse(&wire, &message), questions == 1 ? 0 : -EINVAL);
	}
	for (unsigned int length = 0x40; length < 0x100; length++) { /* reserved; pointers */
		wire = wire_plain(1, WIRE_ANSWER, "example.com", 1);
		wire.data[12] = (uint8_t)length;
		assert_int_equal(parse(&wire, &message), -EINVAL);
	}
	for (unsigned int target = 0; target < 40; target++) { /* a question within itself */
		wire = (struct wire){.size = 0};
		wire_header(&wire, 1, WIRE_ANSWER, 1, 0);
		wire_u8(&wire, 1), wire_u8(&wire, 'a');
		wire_u16(&wire, 0xc000 | target);
		wire_u32(&wire, 0x00010001);
		assert_int_equal(parse(&wire, &message), -EINVAL);
	}
}

static void refuses_names_above_255_bytes(void **state)
{
	struct dns_message message;
	struct wire wire = {.size = 0};

	(void)state;
	wire_header(&wire, 1, WIRE_QUERY, 1, 0);
	for (int i = 0; i < 128; i++)
		wire_u8(&wire, 1), wire_u8(&wire, 'a');
	wire_question(&wire, "", 1);
	assert_int_equal(parse(&wire, &message), -EINVAL);
}

/* The question holds; what comes behind it lies. */
static struct wire answer_with(unsigned int answers)
{
	struct wire wire = {.size = 0};

	wire_header(&wire, 7, WIRE_ANSWER, 1, answers);
	wire_question(&wire, "example.com", 1);
	return wire;
}

static void assert_damaged(const struct wire *wire, size_t addresses)
{
	struct dns_message message = parsed(wire);

	assert_true(message.damaged);
	assert_int_equal(message.address_count, addresses);
	assert_string_equal(message.name, "example.com");
}

static void says_when_what_follows_the_question_lies(void **state)
{
	struct wire wire = answer_with(1); /* there is none */

	(void)state;
	assert_damaged(&wire, 0);

	wire = answer_with(65535); /* there is one */
	wire_a(&wire, 60, 1);
	assert_damaged(&wire, 1);

	wire = answer_with(1); /* longer than the message */
	wire_record(&wire, 1, 60, 65535);
	wire_u32(&wire, 1);
	assert_damaged(&wire, 0);

	wire = answer_with(1); /* an address of three bytes */
	wire_record(&wire, 1, 60, 3);
	wire_u16(&wire, 1), wire_u8(&wire, 1);
	assert_damaged(&wire, 0);

	wire = answer_with(1); /* an owner that points at itself */
	wire_u16(&wire, 0xc000 | (unsigned int)wire.size);
	wire_u32(&wire, 0x00010001);
	assert_damaged(&wire, 0);

	wire = answer_with(1); /* ahead */
	wire_u16(&wire, 0xc0ff);
	assert_damaged(&wire, 0);

	wire = answer_with(2); /* round and round: a record's data leads to its own owner */
	wire_record(&wire, 5, 60, 2);
	wire_u16(&wire, 0xc000 | (unsigned int)(wire.size - 12));
	wire_u16(&wire, 0xc000 | (unsigned int)(wire.size - 2));
	wire_u32(&wire, 0x00010001);
	wire_u32(&wire, 60);
	wire_u16(&wire, 0);
	assert_damaged(&wire, 0);
}

static void what_was_not_captured_is_no_lie(void **state)
{
	struct dns_message message;
	struct wire wire = answer_with(2);
	size_t question = wire.size;

	(void)state;
	wire_a(&wire, 60, 1);
	wire_a(&wire, 60, 2);
	for (size_t size = question; size < wire.size; size++) {
		assert_int_equal(parse_part(&wire, size, &message), 0);
		assert_false(message.damaged);
		assert_int_equal(message.address_count, (size - question) / 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_query),
		cmocka_unit_test(reads_addresses_with_their_ttl),
		cmocka_unit_test(keeps_a_bounded_number_of_addresses),
		cmocka_unit_test(reads_codes_also_those_of_edns),
		cmocka_unit_test(escapes_what_is_no_plain_text),
		cmocka_unit_test(cuts_names_that_are_too_long_as_text),
		cmocka_unit_test(plain_names_are_never_cut),
		cmocka_unit_test(refuses_what_is_no_question),
		cmocka_unit_test(refuses_names_above_255_bytes),
		cmocka_unit_test(says_when_what_follows_the_question_lies),
		cmocka_unit_test(what_was_not_captured_is_no_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
