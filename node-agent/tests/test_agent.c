// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The agent's program against an operator that the test plays, on the running kernel. What is
 * attached is asked of the kernel (BPF_PROG_QUERY), not of the agent.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
/* A test is one program of one file. */
// NOLINTNEXTLINE(bugprone-suspicious-include)
#include "node-agent/tests/operator_double.c"

#define UID_A "aaaaaaaa-0000-4000-8000-000000000001"
#define UID_B "bbbbbbbb-0000-4000-8000-000000000002"
#define ID_1  "1111111111111111111111111111111111111111111111111111111111111111"
#define ID_2  "2222222222222222222222222222222222222222222222222222222222222222"

#define WORKLOAD "\"workload\":{\"kind\":\"Deployment\",\"name\":\"shop\"}"
#define TCP	 "{\"type\":\"TCP\",\"policies\":[\"shop/all\"]}"
#define EXEC                                                                                       \
	"{\"type\":\"Exec\",\"policies\":[\"shop/all\",\"shop/"                                    \
	"more\"],\"exec\":{\"arguments\":\"Raw\"}}"
#define EXEC_IN_1                                                                                  \
	"{\"type\":\"Exec\",\"containers\":[\"one\"],\"policies\":[\"shop/"                        \
	"all\"],\"exec\":{\"arguments\":\"Raw\"}}"
#define TCP_IN_1 "{\"type\":\"TCP\",\"containers\":[\"one\"],\"policies\":[\"shop/all\"]}"
#define BOTH_CONTAINERS                                                                            \
	"{\"name\":\"one\",\"id\":\"" ID_1 "\"},{\"name\":\"two\",\"id\":\"" ID_2 "\"}"

/* A selected pod: uid, name, containers, probes. */
#define POD(uid, name, containers, probes)                                                         \
	"{\"uid\":\"" uid "\",\"namespace\":\"shop\",\"name\":\"" name "\"," WORKLOAD              \
	",\"containers\":[" containers "],\"probes\":[" probes "]}"
#define SNAPSHOT(revision, pods)                                                                   \
	"{\"type\":\"snapshot\",\"epoch\":\"e1\",\"revision\":" revision ",\"pods\":[" pods "]}"
#define DELTA(from, revision, upsert, remove)                                                      \
	"{\"type\":\"delta\",\"epoch\":\"e1\",\"from\":" from ",\"revision\":" revision            \
	",\"upsert\":[" upsert "],\"remove\":[" remove "]}"

static int set_up(void **state)
{
	struct operator_double *operator= calloc(1, sizeof(*operator));

	*state = operator;
	double_start(operator);
	return 0;
}

static int tear_down(void **state)
{
	struct operator_double *operator= * state;

	double_stop(operator);
	free(operator);
	return 0;
}

static bool has_hello(struct operator_double *operator)
{
	return operator->hello && operator->peer;
}

static bool has_second_hello(struct operator_double *operator)
{
	return operator->hellos >= 2 && operator->peer;
}

static int64_t reported(const struct operator_double *operator)
{
	return json_integer(operator->report, -1, "revision");
}

static bool reported_5(struct operator_double *operator)
{
	return reported(operator) == 5;
}

static bool reported_6(struct operator_double *operator)
{
	return reported(operator) == 6;
}

static bool reported_7(struct operator_double *operator)
{
	return reported(operator) == 7;
}

static bool all_attached(struct operator_double *operator)
{
	return operator->report && cJSON_GetArraySize(json_find(operator->report, "pods")) == 0;
}

static bool a_has_programs(struct operator_double *operator)
{
	return pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS) == 1;
}

static bool a_has_no_programs(struct operator_double *operator)
{
	return pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS) == 0;
}

static bool has_first_event(struct operator_double *operator)
{
	return operator->event_text.data && strchr(operator->event_text.data, '\n');
}

static const char *exception_reason(const struct operator_double *operator)
{
	return json_text(cJSON_GetArrayItem(json_find(operator->report, "pods"), 0), "reason");
}

static void start_connected(struct operator_double *operator)
{
	agent_start(operator);
	assert_true(double_wait(operator, has_hello));
}

static void test_attach_and_detach(void **state)
{
	struct operator_double *operator= * state;

	pod_make(operator, UID_A, NULL);
	pod_make(operator, UID_B, NULL);
	start_connected(operator);
	assert_string_equal(json_text(operator->hello, "node"), "node-of-the-test");
	assert_string_equal(json_text(operator->hello, "epoch"), "");

	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", TCP)));
	assert_true(double_wait(operator, reported_5));
	assert_true(all_attached(operator));
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS), 1);
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_SOCK_OPS), 1);
	assert_int_equal(pod_programs(operator, UID_B, NULL, BPF_CGROUP_INET_EGRESS), 0);

	double_send(operator, DELTA("5", "6", POD(UID_B, "b", "", TCP), "\"" UID_A "\""));
	assert_true(double_wait(operator, reported_6));
	assert_true(all_attached(operator));
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS), 0);
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_SOCK_OPS), 0);
	assert_int_equal(pod_programs(operator, UID_B, NULL, BPF_CGROUP_INET_EGRESS), 1);
}

static void test_waiting_pod(void **state)
{
	struct operator_double *operator= * state;
	uint64_t made;

	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", TCP)));
	assert_true(double_wait(operator, reported_5));
	assert_string_equal(exception_reason(operator), "PodNotStarted");

	made = uv_hrtime();
	pod_make(operator, UID_A, NULL);
	assert_true(double_wait(operator, a_has_programs));
	print_message("attached %.1f ms after the pod's folder was made\n",
		      (double)(uv_hrtime() - made) / 1e6);
	assert_true(double_wait(operator, all_attached));

	/* The folder goes and comes again, as it is with a node that restarts. */
	pod_remove(operator, UID_A, NULL);
	pod_make(operator, UID_A, NULL);
	assert_true(double_wait(operator, a_has_programs));
}

static void test_containers(void **state)
{
	struct operator_double *operator= * state;

	pod_make(operator, UID_A, NULL);
	pod_make(operator, UID_A, ID_1);
	pod_make(operator, UID_A, ID_2);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", TCP_IN_1)));
	assert_true(double_wait(operator, reported_5));
	assert_string_equal(exception_reason(operator), "ContainerNotStarted");

	double_send(operator, DELTA("5", "6", POD(UID_A, "a", BOTH_CONTAINERS, TCP_IN_1), ""));
	assert_true(double_wait(operator, reported_6));
	assert_true(all_attached(operator));
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS), 0);
	assert_int_equal(pod_programs(operator, UID_A, ID_1, BPF_CGROUP_INET_EGRESS), 1);
	assert_int_equal(pod_programs(operator, UID_A, ID_2, BPF_CGROUP_INET_EGRESS), 0);

	double_send(operator, DELTA("6", "7", POD(UID_A, "a", BOTH_CONTAINERS, TCP), ""));
	assert_true(double_wait(operator, reported_7));
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS), 1);
	assert_int_equal(pod_programs(operator, UID_A, ID_1, BPF_CGROUP_INET_EGRESS), 0);
}

/* The first whole line of what the agent has written. */
static cJSON *first_event(struct operator_double *operator)
{
	assert_true(double_wait(operator, has_first_event));
	return cJSON_ParseWithOpts(operator->event_text.data, NULL, 0);
}

static void check_event(const cJSON *event, const char *argument, int policies)
{
	const cJSON *arguments = json_find(event, "arguments");

	assert_non_null(event);
	assert_string_equal(json_text(event, "type"), "Exec");
	assert_string_equal(json_text(event, "node"), "node-of-the-test");
	assert_string_equal(json_text(event, "namespace"), "shop");
	assert_string_equal(json_text(event, "pod"), "a");
	assert_string_equal(json_text(event, "container"), "one");
	assert_string_equal(json_text(event, "container_id"), ID_1);
	assert_string_equal(json_text(event, "workload", "kind"), "Deployment");
	assert_string_equal(json_text(event, "workload", "name"), "shop");
	assert_int_equal(cJSON_GetArraySize(json_find(event, "policies")), policies);
	assert_string_equal(json_text(event, "binary"), "/bin/true");
	assert_string_equal(json_text_of(cJSON_GetArrayItem(arguments, 1)), argument);
	assert_int_equal(json_integer(event, -1, "return_code"), 0);
}

static void test_events(void **state)
{
	struct operator_double *operator= * state;
	cleanup_json cJSON *event = NULL;

	pod_make(operator, UID_A, NULL);
	pod_make(operator, UID_B, NULL);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", EXEC)));
	assert_true(double_wait(operator, reported_5));

	/* The container's name comes after its first exec, and is there all the same. */
	pod_make(operator, UID_A, ID_1);
	pod_make(operator, UID_B, ID_2);
	pod_exec(operator, UID_B, ID_2, "not-selected");
	pod_exec(operator, UID_A, ID_1, "selected");
	double_send(operator, DELTA("5", "6", POD(UID_A, "a", BOTH_CONTAINERS, EXEC), ""));
	event = first_event(operator);
	check_event(event, "selected", 2);
}

static void test_events_of_one_container(void **state)
{
	struct operator_double *operator= * state;
	cleanup_json cJSON *event = NULL;

	pod_make(operator, UID_A, NULL);
	pod_make(operator, UID_A, ID_1);
	pod_make(operator, UID_A, ID_2);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", BOTH_CONTAINERS, EXEC_IN_1)));
	assert_true(double_wait(operator, reported_5));
	pod_exec(operator, UID_A, ID_2, "other-container");
	pod_exec(operator, UID_A, ID_1, "this-container");
	event = first_event(operator);
	check_event(event, "this-container", 1);
}

static void test_last_events_of_a_pod(void **state)
{
	struct operator_double *operator= * state;
	cleanup_json cJSON *event = NULL;

	pod_make(operator, UID_A, NULL);
	pod_make(operator, UID_A, ID_1);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", BOTH_CONTAINERS, EXEC)));
	assert_true(double_wait(operator, reported_5));
	pod_exec(operator, UID_A, ID_1, "last");
	pod_remove(operator, UID_A, ID_1);
	pod_remove(operator, UID_A, NULL);
	event = first_event(operator);
	check_event(event, "last", 2);
}

/* The value of the sample that begins with `sample`, after a scrape; -1 for none. */
static double scraped(struct operator_double *operator, const char * sample)
{
	cleanup_free char *metrics = agent_get(operator, "/metrics");
	const char *found = metrics ? strstr(metrics, sample) : NULL;

	return found ? strtod(found + strlen(sample), NULL) : -1;
}

static bool has_lookup(struct operator_double *operator)
{
	(void)scraped(operator, "");
	return operator->lookup != NULL;
}

#define SENT_TO(kind, name) EDGE_TO("sent_bytes_total", kind, name)
#define EDGE_TO(family, kind, name)                                                                \
	"skep_tcp_" family "{k8s_namespace_name=\"shop\",k8s_deployment_name=\"shop\","            \
	"role=\"client\",peer_kind=\"" kind "\",peer_namespace=\"shop\",peer_name=\"" name         \
	"\",server_port=\"8080\"} "
#define PEER(kind, name)                                                                           \
	"{\"type\":\"peers\",\"peers\":[{\"address\":\"10.77.0.7\",\"kind\":\"" kind               \
	"\",\"namespace\":\"shop\",\"name\":\"" name "\"}]}"

static bool sent_to_cart(struct operator_double *operator)
{
	return scraped(operator, SENT_TO("Service", "cart")) == 1000;
}

static bool pay_is_known(struct operator_double *operator)
{
	return scraped(operator, EDGE_TO("connections_open", "Service", "pay")) == 1;
}

static bool sent_to_pay(struct operator_double *operator)
{
	return scraped(operator, SENT_TO("Service", "pay")) == 1000;
}

static bool has_edges(struct operator_double *operator)
{
	return operator->edges && json_find(operator->edges, "edges")->child;
}

/* Asks whose the address is, counts for who has it, and tells the operator. */
static void test_edges(void **state)
{
	struct operator_double *operator= * state;
	const cJSON *edge;

	pod_make(operator, UID_A, NULL);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", TCP)));
	assert_true(double_wait(operator, reported_5));
	pod_talk(operator, UID_A, "10.77.0.7");
	assert_true(double_wait(operator, has_lookup));
	assert_string_equal(json_text_of(json_find(operator->lookup, "addresses")->child),
			    "10.77.0.7");
	double_send(operator, PEER("Service", "cart"));
	assert_true(double_wait(operator, sent_to_cart));

	assert_true(double_wait(operator, has_edges));
	edge = json_find(operator->edges, "edges")->child;
	assert_true(json_boolean(operator->edges, false, "full"));
	assert_string_equal(json_text(edge, "peer", "name"), "cart");
	assert_string_equal(json_text(edge, "workload", "name"), "shop");
	assert_int_equal(json_integer(edge, -1, "port"), 8080);
	assert_int_equal(json_integer(edge, -1, "figures", "connections"), 1);

	/* What was sent until the address changes hands is the old holder's. */
	pod_talk_more(operator);
	double_send(operator, PEER("Service", "pay"));
	assert_true(double_wait(operator, pay_is_known));
	assert_int_equal((long)scraped(operator, SENT_TO("Service", "cart")), 2000);
	assert_true(scraped(operator, SENT_TO("Service", "pay")) <= 0);
	pod_talk_more(operator);
	assert_true(double_wait(operator, sent_to_pay));
	assert_int_equal((long)scraped(operator, SENT_TO("Service", "cart")), 2000);
	assert_int_equal(agent_end(operator, SIGTERM), 0); /* with all of that in its hands */
}

#define FEW 20 /* execs, which take less than as many seconds */

/* The two policies of EXEC, the first of which may tell so many events a second. */
#define EXEC_OF_BUDGET(events)                                                                     \
	EXEC "],\"budgets\":[{\"policy\":\"shop/all\",\"eventsPerSecond\":" events "}"

static unsigned int count_events(const struct operator_double *operator, const char * part)
{
	const char *at = operator->event_text.data;
	unsigned int count = 0;

	while (at && (at = strstr(at, part))) {
		at += strlen(part);
		count++;
	}
	return count;
}

static bool told_all_to_more(struct operator_double *operator)
{
	return count_events(operator, "\"shop/more\"") >= FEW;
}

static bool is_throttled(struct operator_double *operator)
{
	const cJSON *first = json_find(operator->report, "throttled")->child;

	return strcmp(json_text(first, "policy"), "shop/all") == 0 &&
	       json_integer(first, 0, "eventsPerSecond") == 1;
}

static bool was_throttled(struct operator_double *operator)
{
	return json_find(operator->report, "throttled") && is_throttled(operator);
}

static bool told_many(struct operator_double *operator)
{
	return count_events(operator, "many") == FEW;
}

/* A policy is bounded, the other one of the same pod is not; an edit holds without a gap. */
static void test_budget(void **state)
{
	const char *const shed = "skep_events_lost_total{stage=\"rate_limited\",k8s_namespace_name="
				 "\"shop\",policy=\"all\"} ";
	struct operator_double *operator= * state;
	unsigned int told;

	pod_make(operator, UID_A, NULL);
	pod_make(operator, UID_A, ID_1);
	start_connected(operator);
	double_send(operator,
		    SNAPSHOT("5", POD(UID_A, "a", "{\"name\":\"one\",\"id\":\"" ID_1 "\"}",
				      EXEC_OF_BUDGET("1"))));
	assert_true(double_wait(operator, reported_5));
	for (int i = 0; i < FEW; i++)
		pod_exec(operator, UID_A, ID_1, "few");
	assert_true(double_wait(operator, told_all_to_more));
	told = count_events(operator, "\"shop/all\"");
	assert_in_range(told, 1, FEW - 1);
	assert_int_equal((long)scraped(operator, shed), FEW - told);
	assert_true(double_wait(operator, was_throttled));

	double_send(operator, DELTA("5", "6",
				    POD(UID_A, "a", "{\"name\":\"one\",\"id\":\"" ID_1 "\"}",
					EXEC_OF_BUDGET("1000")),
				    ""));
	assert_true(double_wait(operator, reported_6));
	for (int i = 0; i < FEW; i++)
		pod_exec(operator, UID_A, ID_1, "many");
	assert_true(double_wait(operator, told_many));
	assert_int_equal(count_events(operator, "\"shop/all\""), told + FEW);
	assert_int_equal((long)scraped(operator, shed), FEW - told);
}

static void test_kill_and_restart(void **state)
{
	struct operator_double *operator= * state;
	cleanup_free char *metrics = NULL;
	uint64_t started;

	pod_make(operator, UID_A, NULL);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", TCP "," EXEC)));
	assert_true(double_wait(operator, reported_5));
	sleep(2); /* the selection is written to disk within a second */

	double_go_away(operator);
	agent_end(operator, SIGKILL);
	assert_true(double_wait(operator, a_has_no_programs));

	started = uv_hrtime();
	agent_start(operator);
	assert_true(double_wait(operator, a_has_programs));
	print_message("attached again %.1f ms after the start, without an operator\n",
		      (double)(uv_hrtime() - started) / 1e6);
	while (!metrics)
		metrics = agent_get(operator, "/metrics");
	assert_non_null(strstr(metrics, "\nskep_agent_starts_total 2\n"));
	assert_non_null(strstr(metrics, "\nskep_agent_connected 0\n"));
	assert_non_null(strstr(metrics, "\nskep_agent_programs_loaded 2\n"));
	assert_non_null(strstr(metrics, "k8s_deployment_name=\"shop\""));

	cJSON_Delete(operator->hello);
	operator->hello = NULL;
	double_come_back(operator);
	assert_true(double_wait(operator, has_hello));
	assert_string_equal(json_text(operator->hello, "epoch"), "e1");
	assert_int_equal(json_integer(operator->hello, -1, "revision"), 5);
}

static void test_end_on_request(void **state)
{
	struct operator_double *operator= * state;
	uint64_t asked;
	int status;

	pod_make(operator, UID_A, NULL);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", TCP "," EXEC)));
	assert_true(double_wait(operator, reported_5));
	asked = uv_hrtime();
	status = agent_end(operator, SIGTERM);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(uv_hrtime() - asked < 2000000000ULL);
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS), 0);
}

static void test_damaged_state(void **state)
{
	struct operator_double *operator= * state;
	cleanup_free char *command = NULL;

	assert_true(asprintf(&command,
			     "mkdir -p '%s/state/agent' && echo '{\"type\":\"snap' "
			     ">'%s/state/agent/selection.json' && echo x >'%s/state/agent/starts'",
			     operator->folder, operator->folder, operator->folder) > 0);
	assert_int_equal(system(command), 0);
	start_connected(operator);
	assert_string_equal(json_text(operator->hello, "epoch"), "");
}

static void test_garbage_from_the_operator(void **state)
{
	static const char *const garbage[] = {
		"{}",
		"{\"type\":\"snapshot\"}",
		"{\"type\":\"report\",\"epoch\":\"e1\",\"revision\":1}",
		"{\"type\":\"snapshot\",\"epoch\":7,\"revision\":-1,\"pods\":{}}",
		"{\"type\":\"delta\",\"epoch\":\"e1\",\"from\":5,\"revision\":6,\"upsert\":[{}]}",
		"{\"type\":[[[[]]]]}",
		"{\"type\":\"peers\"}",
		"{\"type\":\"peers\",\"peers\":[7,{},{\"address\":\"x\",\"kind\":[]}]}",
	};
	struct operator_double *operator= * state;

	pod_make(operator, UID_A, NULL);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", TCP)));
	assert_true(double_wait(operator, reported_5));
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++)
		double_send(operator, "%s", garbage[i]);

	/* A path for a UID and an unknown probe are left out; the good pod beside them is not. */
	pod_make(operator, UID_B, NULL);
	double_send(operator,
		    DELTA("5", "6",
			  POD("../../../", "x", "", TCP) "," POD(
				  "cc-1", "y", "", "{\"type\":\"X\"}") "," POD(UID_B, "b", "", TCP),
			  "7,\"\",null"));
	assert_true(double_wait(operator, reported_6));
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS), 1);
	assert_int_equal(pod_programs(operator, UID_B, NULL, BPF_CGROUP_INET_EGRESS), 1);

	/* A delta that does not fit is answered by a hello, and nothing is lost. */
	double_send(operator, DELTA("99", "100", "", "\"" UID_A "\""));
	assert_true(double_wait(operator, has_second_hello));
	assert_int_equal(json_integer(operator->hello, -1, "revision"), 6);
	assert_int_equal(pod_programs(operator, UID_A, NULL, BPF_CGROUP_INET_EGRESS), 1);
}

/* A number of kB from /proc/<agent>/status. */
static long agent_memory(const struct operator_double *operator, const char * name)
{
	char path[64], line[128];
	cleanup_file FILE *file = NULL;
	long value = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", operator->agent);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name) + 1, NULL, 10);
	return value;
}

static void test_memory(void **state)
{
	struct operator_double *operator= * state;
	cleanup_free char *metrics = NULL;

	pod_make(operator, UID_A, NULL);
	start_connected(operator);
	double_send(operator, SNAPSHOT("5", POD(UID_A, "a", "", TCP "," EXEC)));
	assert_true(double_wait(operator, reported_5));
	assert_true(all_attached(operator));
	metrics = agent_get(operator, "/metrics");
	assert_non_null(strstr(metrics, "skep_agent_pods{state=\"Attached\"} 1\n"));
	print_message("VmRSS %ld kB, VmHWM %ld kB\n", agent_memory(operator, "VmRSS"),
		      agent_memory(operator, "VmHWM"));
	if (!getenv("SKEP_NODE_AGENT")) /* which may be one with sanitizers */
		assert_in_range(agent_memory(operator, "VmHWM"), 1, 12 << 10);
}

int main(void)
{
#define agent_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		agent_test(test_attach_and_detach),
		agent_test(test_waiting_pod),
		agent_test(test_containers),
		agent_test(test_events),
		agent_test(test_events_of_one_container),
		agent_test(test_last_events_of_a_pod),
		agent_test(test_edges),
		agent_test(test_budget),
		agent_test(test_kill_and_restart),
		agent_test(test_end_on_request),
		agent_test(test_damaged_state),
		agent_test(test_garbage_from_the_operator),
		agent_test(test_memory),
	};

	if (geteuid() != 0) {
		puts("skipped: the agent needs root (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON)");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
