// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Numbers of namespaces: one for all targets of a namespace, and none twice. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node-agent/budget/namespaces.h"

static void test_targets_of_a_namespace_share_its_number(void **state)
{
	struct namespaces namespaces = {0};
	struct namespace *shop = namespaces_join(&namespaces, "shop");
	struct namespace *bank = namespaces_join(&namespaces, "bank");

	(void)state;
	assert_int_not_equal(shop->number, bank->number);
	assert_int_not_equal(shop->number, 0);
	assert_ptr_equal(namespaces_join(&namespaces, "shop"), shop);
	namespaces_leave(&namespaces, shop);
	assert_ptr_equal(namespaces_join(&namespaces, "shop"), shop);
	namespaces_leave(&namespaces, shop);
	namespaces_leave(&namespaces, shop);
	namespaces_leave(&namespaces, bank);
	namespaces_leave(&namespaces, NULL);
	assert_null(namespaces.table);
}

/* Shapes of a namespace that has gone may still be there. */
static void test_no_number_is_given_twice(void **state)
{
	static const char *const names[] = {"shop", "bank", "shop", "other"};
	struct namespaces namespaces = {0};
	struct namespace *namespace;
	uint32_t last = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		namespace = namespaces_join(&namespaces, names[i]);
		assert_true(namespace->number > last);
		last = namespace->number;
		namespaces_leave(&namespaces, namespace);
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
