// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include <errno.h>

#include "lib/base/text.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void keeps_what_names_need(void **state)
{
	struct service *service =
		service_in("shop", "cart",
			   "{'clusterIP': '10.96.0.9', 'clusterIPs': ['10.96.0.9', 'fd00::9'],"
			   " 'externalIPs': ['203.0.113.1', 'nonsense'],"
			   " 'selector': {'app': 'cart'}, 'ports': ["
			   "{'port': 80, 'targetPort': 8080, 'protocol': 'TCP'},"
			   "{'port': 81, 'targetPort': 'web', 'protocol': 'TCP'},"
			   "{'port': 82}, {'port': 53, 'protocol': 'UDP'}, {'port': 0},"
			   "{'port': 83, 'targetPort': 70000}]}");

	(void)state;
	assert_string_equal(service->id, "shop/cart");
	assert_int_equal(service->created, 1795237200);
	assert_int_equal(service->cluster_count, 2);
	assert_int_equal(service->external_count, 1);
	assert_string_equal(labels_get(&service->selector, "app"), "cart");
	assert_int_equal(service->port_count, 4);
	assert_int_equal(service_find_port(service, "tcp", 80)->target, 8080);
	assert_int_equal(service_find_port(service, "tcp", 81)->target, 0);
	assert_int_equal(service_find_port(service, "tcp", 82)->target, 82);
	assert_int_equal(service_find_port(service, "udp", 53)->target, 53);
	assert_null(service_find_port(service, "tcp", 53));
	service_free(service);
}

static void keeps_the_load_balancers_address(void **state)
{
	struct service *service = NULL;
	cleanup_json cJSON *object = json_of(
		"{'metadata': {'namespace': 's', 'name': 'a'}, 'spec': {'clusterIP': 'None'},"
		" 'status': {'loadBalancer': {'ingress': [{'hostname': 'x'}, {'ip': "
		"'1.2.3.4'}]}}}");
	struct ip_address address = address_of("1.2.3.4");

	(void)state;
	assert_int_equal(service_decode(object, &service), 0);
	assert_int_equal(service->cluster_count, 0);
	assert_int_equal(service->external_count, 1);
	assert_memory_equal(&service->external[0], &address, sizeof(address));
	service_free(service);
}

static void bounds_what_a_service_costs(void **state)
{
	cleanup_text struct text addresses = TEXT_EMPTY, ports = TEXT_EMPTY, spec = TEXT_EMPTY;
	struct service *service;

	(void)state;
	for (int i = 0; i < 200; i++) {
		text_append_format(&addresses, "%s'203.0.113.%d'", i ? ", " : "", i);
		text_append_format(&ports, "%s{'port': %d}", i ? ", " : "", i + 1);
	}
	text_append_format(&spec, "{'externalIPs': [%s], 'ports': [%s]}", addresses.data,
			   ports.data);
	service = service_in("shop", "cart", spec.data);
	assert_int_equal(service->external_count, SERVICE_EXTERNAL_ADDRESSES_LIMIT);
	assert_int_equal(service->port_count, SERVICE_PORTS_LIMIT);
	service_free(service);
}

static void refuses_what_is_no_service(void **state)
{
	static const char *const texts[] = {"null", "{'metadata': {'name': 'a'}}",
					    "{'metadata': {'namespace': 'a'}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		cleanup_json cJSON *object = json_of(texts[i]);
		struct service *service = NULL;

		assert_int_equal(service_decode(object, &service), -EINVAL);
		assert_null(service);
	}
}

static void equals_only_its_like(void **state)
{
	static const char text[] = "{'clusterIP': '10.96.0.9', 'externalIPs': ['1.1.1.1'],"
				   " 'selector': {'app': 'cart'},"
				   " 'ports': [{'port': 80, 'targetPort': 8080}]}";
	static const char *const changes[][2] = {{"10.96.0.9", "10.96.0.8"},
						 {"1.1.1.1", "1.1.1.2"},
						 {"'cart'", "'card'"},
						 {"80,", "81,"},
						 {"8080", "8081"}};
	struct service *service = service_in("shop", "a", text);
	struct service *same = service_in("shop", "a", text);

	(void)state;
	assert_true(service_equal(service, same));
	for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
		const char *at = strstr(text, changes[i][0]);
		cleanup_text struct text changed = TEXT_EMPTY;
		struct service *other;

		text_append_format(&changed, "%.*s%s%s", (int)(at - text), text, changes[i][1],
				   at + strlen(changes[i][0]));
		other = service_in("shop", "a", changed.data);
		if (service_equal(service, other))
			fail_msg("%s is as good as %s", changes[i][0], changes[i][1]);
		service_free(other);
	}
	service_free(service);
	service_free(same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_names_need),
		cmocka_unit_test(keeps_the_load_balancers_address),
		cmocka_unit_test(bounds_what_a_service_costs),
		cmocka_unit_test(refuses_what_is_no_service),
		cmocka_unit_test(equals_only_its_like),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
