// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Memory runs out at every single allocation in turn of what leaders and certificates write. */

#include "lib/base/tests/starve.h"
#include "operator/tests/fixture.h"

#include "lib/kube/jwt.h"
#include "lib/kube/lease_state.h"
#include "operator/certificates_secret.h"
#include "operator/leader_slice.h"

static bool deleted(cJSON *json)
{
	bool done = json != NULL;

	cJSON_Delete(json);
	return done;
}

static bool claim_lease(void *context)
{
	const struct lease_claim claim = {
		.namespace = "here", .name = "work", .identity = "a", .duration_ms = 3000};

	return deleted(lease_claim_json(&claim, context));
}

static bool write_slice(void *context)
{
	const struct leader_slice_settings settings = {
		.namespace = "here", .address = "10.1.2.3", .agents_port = 1, .api_port = 2};

	(void)context;
	return deleted(leader_slice_json(&settings, "discovery.k8s.io/v1"));
}

static bool write_secret(void *context)
{
	return deleted(certificates_secret_encode(context, "7"));
}

static bool read_secret(void *context)
{
	struct pki_bundle bundle;

	if (certificates_secret_decode(context, &bundle) < 0)
		return false;
	pki_bundle_free(&bundle);
	return true;
}

static bool read_token(void *context)
{
	return jwt_expiry(context) == 1795003600;
}

static void survives_without_memory(void **state)
{
	cJSON *lease = json_of("{'metadata': {'name': 'work', 'resourceVersion': '1'},"
			       " 'spec': {'holderIdentity': 'b', 'leaseTransitions': 4}}");
	cJSON *secret = json_of("{'data': {'ca.crt': 'YQ==', 'tls.key': 'Yg=='}}");
	struct pki_bundle bundle = {.ca_certificate = (char *)"a", .key = (char *)"b"};

	(void)state;
	assert_true(starve(claim_lease, lease) > 10);
	assert_true(starve(claim_lease, NULL) > 10);
	assert_true(starve(write_slice, NULL) > 10);
	assert_true(starve(write_secret, &bundle) > 10);
	assert_true(starve(read_secret, secret) >= 2);
	assert_true(starve(read_token, (void *)"h.eyJleHAiOjE3OTUwMDM2MDAsInN1YiI6Ij8-PyJ9.s") > 2);
	cJSON_Delete(lease);
	cJSON_Delete(secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
