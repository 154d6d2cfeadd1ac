// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Numbers of namespaces: one for all targets of a namespace, and none twice. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node-agent/probes/http_namespaces.h"

static void test_targets_of_a_namespace_share_its_number(void **state)
{
	struct http_namespaces namespaces = {0};
	struct http_namespace *shop = http_namespaces_join(&namespaces, "shop");
	struct http_namespace *bank = http_namespaces_join(&namespaces, "bank");

	(void)state;
	assert_int_not_equal(shop->number, bank->number);
	assert_int_not_equal(shop->number, 0);
	assert_ptr_equal(http_namespaces_join(&namespaces, "shop"), shop);
	http_namespaces_leave(&namespaces, shop);
	assert_ptr_equal(http_namespaces_join(&namespaces, "shop"), shop);
	http_namespaces_leave(&namespaces, shop);
	http_namespaces_leave(&namespaces, shop);
	http_namespaces_leave(&namespaces, bank);
	http_namespaces_leave(&namespaces, NULL);
	assert_null(namespaces.table);
}

/* Shapes of a namespace that has gone may still be there. */
static void test_no_number_is_given_twice(void **state)
{
	static const char *const names[] = {"shop", "bank", "shop", "other"};
	struct http_namespaces namespaces = {0};
	struct http_namespace *namespace;
	uint32_t last = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		namespace = http_namespaces_join(&namespaces, names[i]);
		assert_true(namespace->number > last);
		last = namespace->number;
		http_namespaces_leave(&namespaces, namespace);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets_of_a_namespace_share_its_number),
		cmocka_unit_test(test_no_number_is_given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
