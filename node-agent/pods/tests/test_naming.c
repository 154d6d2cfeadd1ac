// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "node-agent/pods/naming.h"

#define UID   "4e05a2e7-2ed3-4fb6-b2f9-312236fd8288"
#define SLICE "4e05a2e7_2ed3_4fb6_b2f9_312236fd8288"
#define ID    "694e2279d4969a7fe5611464dd53218a79aa89ff1a5f1a73e04060a17b9b7554"

static void test_roles(void **state)
{
	static const struct {
		enum folder_role parent;
		const char *name;
		enum folder_role expected;
	} rows[] = {
		{FOLDER_SEARCHED, "kubepods", FOLDER_KUBEPODS},
		{FOLDER_SEARCHED, "kubepods.slice", FOLDER_KUBEPODS},
		{FOLDER_SEARCHED, "kubelet-kubepods.slice", FOLDER_KUBEPODS},
		{FOLDER_SEARCHED, "node-b", FOLDER_SEARCHED},
		{FOLDER_SEARCHED, "kubelet.slice", FOLDER_SEARCHED},
		{FOLDER_SEARCHED, "docker-" ID ".scope", FOLDER_SEARCHED},
		{FOLDER_SEARCHED, "cron.service", FOLDER_IGNORED},
		{FOLDER_SEARCHED, "var-lib.mount", FOLDER_IGNORED},
		{FOLDER_KUBEPODS, "burstable", FOLDER_QOS},
		{FOLDER_KUBEPODS, "besteffort", FOLDER_QOS},
		{FOLDER_KUBEPODS, "kubepods-besteffort.slice", FOLDER_QOS},
		{FOLDER_KUBEPODS, "kubelet-kubepods-burstable.slice", FOLDER_QOS},
		{FOLDER_KUBEPODS, "pod" UID, FOLDER_POD},
		{FOLDER_KUBEPODS, "kubepods-pod" SLICE ".slice", FOLDER_POD},
		{FOLDER_KUBEPODS, "other", FOLDER_IGNORED},
		{FOLDER_QOS, "pod" UID, FOLDER_POD},
		{FOLDER_QOS, "kubepods-burstable-pod" SLICE ".slice", FOLDER_POD},
		{FOLDER_QOS, "podium", FOLDER_IGNORED},
		{FOLDER_POD, ID, FOLDER_CONTAINER},
		{FOLDER_POD, "cri-containerd-" ID ".scope", FOLDER_CONTAINER},
		{FOLDER_POD, "crio-conmon-" ID ".scope", FOLDER_IGNORED},
		{FOLDER_POD, "init", FOLDER_IGNORED},
		{FOLDER_CONTAINER, "system.slice", FOLDER_IGNORED},
		{FOLDER_IGNORED, "kubepods", FOLDER_IGNORED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (folder_role(rows[i].parent, rows[i].name) != rows[i].expected)
			fail_msg("%s", rows[i].name);
}

static void test_pod_uid(void **state)
{
	static const struct {
		const char *name;
		const char *uid; /* NULL: none */
	} rows[] = {
		{"pod" UID, UID},
		{"podab12", "ab12"},
		{"pod0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"},
		{"kubepods-burstable-pod" SLICE ".slice", UID},
		{"kubepods-pod" SLICE ".slice", UID},
		{"kubelet-kubepods-besteffort-pod" SLICE ".slice", UID},
		{"a-pod-b-kubepods-pod" SLICE ".slice", UID},
		{"pod", NULL},
		{"pod" SLICE, NULL},
		{"pod../../etc", NULL},
		{"pod" UID "/x", NULL},
		{"pod-" UID, NULL},
		{"POD" UID, NULL},
		{"kubepods-burstable-pod" SLICE, NULL},
		{"kubepods-burstable-pod.slice", NULL},
		{"user-pod" SLICE ".slice", NULL},
		{"pod" UID UID, NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char uid[POD_UID_SIZE] = "untouched";
		bool found = folder_pod_uid(rows[i].name, uid);

		if (found != !!rows[i].uid)
			fail_msg("%s", rows[i].name);
		assert_string_equal(uid, rows[i].uid ? rows[i].uid : "untouched");
	}
}

static void test_uid_from_outside(void **state)
{
	(void)state;
	assert_true(pod_uid_is_valid(UID));
	assert_false(pod_uid_is_valid(""));
	assert_false(pod_uid_is_valid("../" UID));
	assert_false(pod_uid_is_valid("4E05"));
	assert_false(pod_uid_is_valid("--"));
	assert_false(pod_uid_is_valid(UID "\n"));
	assert_false(pod_uid_is_valid(ID "0"));
}

static void test_container_id(void **state)
{
	static const char *const good[] = {
		ID,
		"cri-containerd-" ID ".scope",
		"crio-" ID ".scope",
		"docker-" ID ".scope",
		"crio-" ID,
		"libpod-" ID ".scope",
	};
	static const char *const bad[] = {
		"",    ".scope",  "cri-containerd-.scope",	  "crio-conmon-" ID ".scope",
		"abc", ID ID "0", "cri-containerd-" ID "x.scope", "-",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char id[CONTAINER_ID_SIZE] = "";

		assert_true(folder_container_id(good[i], id));
		assert_string_equal(id, ID);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char id[CONTAINER_ID_SIZE] = "";

		if (folder_container_id(bad[i], id))
			fail_msg("%s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_pod_uid),
		cmocka_unit_test(test_uid_from_outside),
		cmocka_unit_test(test_container_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
