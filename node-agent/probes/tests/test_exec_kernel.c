// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The Exec probe on the running kernel: real processes in cgroups of the test's own. */

#include "node-agent/probes/tests/kernel_fixture.h"

#include <sys/resource.h>

#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>

#define EXECS  "skep_exec_total"
#define FAILED "skep_exec_failed_total"
#define LOST   "skep_exec_events_lost_total"

static const union probe_settings raw = {.exec = {.arguments = EXEC_ARGUMENTS_RAW}};
static const union probe_settings redacted = {.exec = {.arguments = EXEC_ARGUMENTS_REDACTED}};
static const union probe_settings no_arguments = {.exec = {.arguments = EXEC_ARGUMENTS_NONE}};
static const union probe_settings failures = {
	.exec = {.arguments = EXEC_ARGUMENTS_RAW, .failures = true}};

static int setup(void **state)
{
	return fixture_setup(state, &exec_probe_kind);
}

static long count_of(struct fixture *fixture, struct probe_attachment *attachment, const char *name)
{
	return (long)fixture_value(fixture, attachment, name, "");
}

static long lost_at(struct fixture *fixture, struct probe_attachment *attachment, const char *stage)
{
	char label[64];

	snprintf(label, sizeof(label), ",stage=\"%s\"", stage);
	return (long)fixture_value(fixture, attachment, LOST, label);
}

/* Runs a program in a cgroup and waits for its end. Returns its pid. */
static pid_t run_in(const char *cgroup, const char *path, char *const arguments[])
{
	char *const environment[] = {NULL};
	pid_t child = fork();

	if (child == 0) {
		enter_cgroup(cgroup);
		execve(path, arguments, environment);
		_exit(0);
	}
	assert_return_code(child, errno);
	waitpid(child, NULL, 0);
	return child;
}

static pid_t run_true_in(const char *cgroup)
{
	return run_in(cgroup, "/bin/true", (char *[]){"true", NULL});
}

/* Lets the probe read what has come: its timer fires within 100 ms. */
static void read_events(struct fixture *fixture)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int i = 0; i < 15; i++) {
		uv_run(&fixture->loop, UV_RUN_NOWAIT);
		nanosleep(&pause, NULL);
	}
}

static const char *text_of(const cJSON *event, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event, name));

	return text ? text : "(none)";
}

static long number_of(const cJSON *event, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, name);

	assert_true(cJSON_IsNumber(item));
	return (long)item->valuedouble;
}

static const char *argument_of(const cJSON *event, int index)
{
	const cJSON *arguments = cJSON_GetObjectItemCaseSensitive(event, "arguments");
	const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(arguments, index));

	return text ? text : "(none)";
}

static int argument_count(const cJSON *event)
{
	return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(event, "arguments"));
}

/* Times are written in UTC, so they sort as text. */
static void format_now(char text[32])
{
	time_t now = time(NULL);
	struct tm parts;

	gmtime_r(&now, &parts);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
}

static void test_event_is_complete(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_target target = fixture_target(fixture, cgroup);
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &raw);
	char before[32], after[32];
	const cJSON *event;
	pid_t pid;

	format_now(before);
	pid = run_in(cgroup, "/bin/true",
		     (char *[]){"true", "two words", "", "--password=x", NULL});
	format_now(after);
	strcat(after, ".~"); /* behind any fraction */
	read_events(fixture);
	assert_int_equal(fixture->event_count, 1);
	assert_int_equal(fixture->events[0].target, target.cgroup_id);
	assert_int_equal(fixture->events[0].container, 0);
	event = fixture->events[0].event;
	assert_int_equal(number_of(event, "pid"), pid);
	assert_int_equal(number_of(event, "parent_pid"), getpid());
	assert_int_equal(number_of(event, "uid"), 0);
	assert_int_equal(number_of(event, "return_code"), 0);
	assert_string_equal(text_of(event, "binary"), "/bin/true");
	assert_int_equal(argument_count(event), 4);
	assert_string_equal(argument_of(event, 0), "true");
	assert_string_equal(argument_of(event, 1), "two words");
	assert_string_equal(argument_of(event, 2), "");
	assert_string_equal(argument_of(event, 3), "--password=x");
	assert_true(strcmp(before, text_of(event, "time")) <= 0);
	assert_true(strcmp(text_of(event, "time"), after) <= 0);
	assert_int_equal(count_of(fixture, attachment, EXECS), 1);
	fixture_detach(fixture, attachment);
}

static void test_arguments_as_asked(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &redacted);
	struct error error;

	run_in(cgroup, "/bin/true", (char *[]){"true", "--password=x123", NULL});
	assert_int_equal(
		exec_probe_kind.configure(fixture->probe, attachment, &no_arguments, &error), 0);
	run_in(cgroup, "/bin/true", (char *[]){"true", "--password=x123", NULL});
	read_events(fixture);
	assert_int_equal(fixture->event_count, 2);
	assert_string_equal(argument_of(fixture->events[0].event, 1), "--password=***");
	assert_false(cJSON_HasObjectItem(fixture->events[1].event, "arguments"));
	assert_int_equal(count_of(fixture, attachment, EXECS), 2);
	fixture_detach(fixture, attachment);
}

static void test_long_arguments_are_cut_and_said_to_be(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &raw);
	char argument[5000];

	memset(argument, 'x', sizeof(argument) - 1);
	argument[sizeof(argument) - 1] = '\0';
	run_in(cgroup, "/bin/true", (char *[]){"true", argument, NULL});
	read_events(fixture);
	assert_int_equal(fixture->event_count, 1);
	assert_true(
		cJSON_IsTrue(cJSON_GetObjectItem(fixture->events[0].event, "arguments_truncated")));
	assert_int_equal(strlen(argument_of(fixture->events[0].event, 1)),
			 512 - strlen("true") - 1);
	fixture_detach(fixture, attachment);
}

static void test_bytes_that_are_no_text_become_text(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &raw);

	run_in(cgroup, "/bin/true", (char *[]){"true", "\xff\xc3\xbc\xc3", NULL});
	read_events(fixture);
	assert_int_equal(fixture->event_count, 1);
	assert_string_equal(argument_of(fixture->events[0].event, 1), "?\xc3\xbc?");
	fixture_detach(fixture, attachment);
}

static void test_neighbour_is_not_seen(void **state)
{
	struct fixture *fixture = *state;
	const char *watched = fixture_cgroup(fixture, "/watched");
	const char *neighbour = fixture_cgroup(fixture, "/neighbour");
	struct probe_attachment *attachment = fixture_attach(fixture, watched, &raw);

	run_true_in(neighbour);
	run_true_in(fixture->mount);
	read_events(fixture);
	assert_int_equal(fixture->event_count, 0);
	assert_int_equal(count_of(fixture, attachment, EXECS), 0);
	fixture_detach(fixture, attachment);
}

static void test_event_tells_the_container(void **state)
{
	struct fixture *fixture = *state;
	const char *pod = fixture_cgroup(fixture, "/pod");
	const char *container = fixture_cgroup(fixture, "/pod/container");
	const char *inner = fixture_cgroup(fixture, "/pod/container/inner");
	uint64_t container_id = fixture_target(fixture, container).cgroup_id;
	struct probe_attachment *attachment = fixture_attach(fixture, pod, &raw);

	run_true_in(container);
	run_true_in(inner);
	read_events(fixture);
	assert_int_equal(fixture->event_count, 2);
	assert_int_equal(fixture->events[0].container, container_id);
	assert_int_equal(fixture->events[1].container, container_id);
	fixture_detach(fixture, attachment);
}

/* A container of a pod that is watched itself: each exec is told once, by the innermost. */
static void test_innermost_target_has_the_event(void **state)
{
	struct fixture *fixture = *state;
	const char *pod = fixture_cgroup(fixture, "/pod");
	const char *container = fixture_cgroup(fixture, "/pod/container");
	struct probe_target target = fixture_target(fixture, container);
	struct probe_attachment *outer = fixture_attach(fixture, pod, &raw);
	struct probe_attachment *inner = NULL;
	struct error error;

	target.container = "server";
	assert_int_equal(exec_probe_kind.attach(fixture->probe, &target, &raw, &inner, &error), 0);
	run_true_in(container);
	run_true_in(pod);
	fixture_detach(fixture, inner);
	run_true_in(container);
	fixture_detach(fixture, outer);
	assert_int_equal(fixture->event_count, 3);
	assert_int_equal(fixture->events[0].target, target.cgroup_id);
	assert_int_equal(fixture->events[0].container, target.cgroup_id);
	assert_int_not_equal(fixture->events[1].target, target.cgroup_id);
	assert_int_equal(fixture->events[2].container, target.cgroup_id);
}

static void test_detach_reads_what_has_happened(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &raw);

	for (int i = 0; i < 50; i++)
		run_true_in(cgroup);
	fixture_detach(fixture, attachment);
	assert_int_equal(fixture->event_count, 50);
	run_true_in(cgroup);
	read_events(fixture);
	assert_int_equal(fixture->event_count, 50);
}

#define SOME 150   /* fit in a bucket */
#define MANY 10000 /* do not */

static void run_many_in(const char *cgroup, int count)
{
	pid_t child = fork();

	if (child == 0) {
		enter_cgroup(cgroup);
		for (int i = 0; i < count; i++) {
			if (vfork() == 0) {
				execl("/bin/true", "true", NULL);
				_exit(1);
			}
			wait(NULL);
		}
		_exit(0);
	}
}

/* Nobody reads meanwhile: what is lost is counted, to the last one. */
static void test_every_exec_is_told_or_counted_as_lost(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &raw);
	long lost;

	run_many_in(cgroup, MANY / 2);
	run_many_in(cgroup, MANY / 2);
	while (wait(NULL) > 0)
		;
	read_events(fixture);
	lost = lost_at(fixture, attachment, "rate_limited") +
	       lost_at(fixture, attachment, "ring_full");
	assert_int_equal(count_of(fixture, attachment, EXECS), MANY);
	assert_true(lost > 0);
	assert_int_equal(fixture->event_count + lost, MANY);
	fixture_detach(fixture, attachment);
}

static void *no_memory(size_t size)
{
	(void)size;
	return NULL;
}

static void test_event_without_memory_is_counted_as_lost(void **state)
{
	cJSON_Hooks hooks = {.malloc_fn = no_memory, .free_fn = free};
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &raw);

	run_true_in(cgroup);
	cJSON_InitHooks(&hooks);
	read_events(fixture);
	cJSON_InitHooks(NULL);
	run_true_in(cgroup);
	read_events(fixture);
	assert_int_equal(fixture->event_count, 1);
	assert_int_equal(count_of(fixture, attachment, EXECS), 2);
	assert_int_equal(lost_at(fixture, attachment, "decode"), 1);
	fixture_detach(fixture, attachment);
}

/* --- failed execs, which need tracefs --- */

static char tracefs[] = "/tmp/skep-test-tracefs-XXXXXX";

static int mount_tracefs(void **state)
{
	(void)state;
	return mkdtemp(tracefs) && mount("tracefs", tracefs, "tracefs", 0, NULL) == 0 ? 0 : -1;
}

static int unmount_tracefs(void **state)
{
	(void)state;
	umount(tracefs);
	return rmdir(tracefs);
}

static int setup_with_tracefs(void **state)
{
	int result = fixture_setup(state, &exec_probe_kind);

	((struct fixture *)*state)->host.tracefs = tracefs;
	return result;
}

static void test_failed_exec_is_told(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &failures);
	const cJSON *event;
	pid_t pid = run_in(cgroup, "/no/such/binary", (char *[]){"binary", "x", "y z", NULL});

	run_true_in(cgroup);
	read_events(fixture);
	assert_int_equal(fixture->event_count, 2);
	event = fixture->events[0].event;
	assert_int_equal(number_of(event, "pid"), pid);
	assert_int_equal(number_of(event, "parent_pid"), getpid());
	assert_int_equal(number_of(event, "return_code"), -ENOENT);
	assert_string_equal(text_of(event, "binary"), "/no/such/binary");
	assert_int_equal(argument_count(event), 3);
	assert_string_equal(argument_of(event, 0), "binary");
	assert_string_equal(argument_of(event, 2), "y z");
	assert_int_equal(count_of(fixture, attachment, FAILED), 1);
	assert_int_equal(count_of(fixture, attachment, EXECS), 1);
	fixture_detach(fixture, attachment);
}

static void test_failed_execveat_is_told(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &failures);
	pid_t child = fork();

	if (child == 0) {
		enter_cgroup(cgroup);
		syscall(SYS_execveat, AT_FDCWD, "/etc/passwd", (char *[]){"p", NULL}, NULL, 0);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	read_events(fixture);
	assert_int_equal(fixture->event_count, 1);
	assert_int_equal(number_of(fixture->events[0].event, "return_code"), -EACCES);
	assert_string_equal(text_of(fixture->events[0].event, "binary"), "/etc/passwd");
	assert_string_equal(argument_of(fixture->events[0].event, 0), "p");
	fixture_detach(fixture, attachment);
}

#define LONG_PATH     255 /* bytes: with four of LONG_ARGUMENT, records are as long as they get */
#define LONG_ARGUMENT 127

/* Tries to run what is not there, again and again until it is killed. Returns its pid. */
static pid_t flood(const char *cgroup, char *const arguments[])
{
	char path[LONG_PATH + 1] = {0};
	pid_t child = fork();

	assert_return_code(child, errno);
	if (child)
		return child;
	memset(path, 'p', LONG_PATH);
	enter_cgroup(cgroup);
	for (;;)
		execv(path, arguments);
}

static long events_of(struct fixture *fixture, const char *cgroup)
{
	uint64_t target = fixture_target(fixture, cgroup).cgroup_id;
	long count = 0;

	for (size_t i = 0; i < fixture->event_count; i++)
		count += fixture->events[i].target == target;
	return count;
}

static void test_flood_of_one_target_loses_nothing_of_another(void **state)
{
	char argument[LONG_ARGUMENT + 1] = {0};
	char *const arguments[] = {argument, argument, argument, argument, NULL};
	struct fixture *fixture = *state;
	const char *noisy = fixture_cgroup(fixture, "/noisy");
	const char *quiet = fixture_cgroup(fixture, "/quiet");
	struct probe_attachment *flooded = fixture_attach(fixture, noisy, &failures);
	struct probe_attachment *watched = fixture_attach(fixture, quiet, &raw);
	pid_t flooder;

	memset(argument, 'a', LONG_ARGUMENT);
	flooder = flood(noisy, arguments);
	setpriority(PRIO_PROCESS, 0, -19); /* the ring has room for a tenth of a second more */
	usleep(20000); /* nobody reads: all that the flood may put into the ring at once is there */
	for (int i = 0; i < 5; i++) {
		run_in(quiet, "/bin/true", arguments);
		read_events(fixture);
	}
	setpriority(PRIO_PROCESS, 0, 0);
	kill(flooder, SIGKILL);
	waitpid(flooder, NULL, 0);
	read_events(fixture);
	assert_true(lost_at(fixture, flooded, "rate_limited") > 0);
	assert_int_equal(lost_at(fixture, watched, "ring_full"), 0);
	assert_int_equal(events_of(fixture, quiet), 5);
	fixture_detach(fixture, flooded);
	fixture_detach(fixture, watched);
}

static void test_failures_are_switched_without_a_gap(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &raw);
	struct error error;

	run_in(cgroup, "/no/such/binary", (char *[]){"binary", NULL});
	run_many_in(cgroup, SOME);
	for (int i = 0; i < 20; i++)
		assert_int_equal(exec_probe_kind.configure(fixture->probe, attachment,
							   i % 2 ? &raw : &failures, &error),
				 0);
	while (wait(NULL) > 0)
		;
	run_in(cgroup, "/no/such/binary", (char *[]){"binary", NULL});
	assert_int_equal(count_of(fixture, attachment, FAILED), 0);
	assert_int_equal(count_of(fixture, attachment, EXECS), SOME);
	fixture_detach(fixture, attachment);
	assert_int_equal(fixture->event_count, SOME);
}

static void test_without_tracefs_failures_are_refused(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &raw);
	struct error error;

	assert_int_equal(exec_probe_kind.configure(fixture->probe, attachment, &failures, &error),
			 -EOPNOTSUPP);
	assert_non_null(strstr(error.message, "mount"));
	run_true_in(cgroup);
	fixture_detach(fixture, attachment);
	assert_int_equal(fixture->event_count, 1);
}

#define case_of(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)
#define traced_case_of(function)                                                                   \
	cmocka_unit_test_setup_teardown(function, setup_with_tracefs, fixture_teardown)

int main(void)
{
	struct CMUnitTest tests[] = {
		case_of(test_event_is_complete),
		case_of(test_arguments_as_asked),
		case_of(test_long_arguments_are_cut_and_said_to_be),
		case_of(test_bytes_that_are_no_text_become_text),
		case_of(test_neighbour_is_not_seen),
		case_of(test_event_tells_the_container),
		case_of(test_innermost_target_has_the_event),
		case_of(test_detach_reads_what_has_happened),
		case_of(test_every_exec_is_told_or_counted_as_lost),
		case_of(test_event_without_memory_is_counted_as_lost),
		case_of(test_without_tracefs_failures_are_refused),
		traced_case_of(test_failed_exec_is_told),
		traced_case_of(test_failed_execveat_is_told),
		traced_case_of(test_failures_are_switched_without_a_gap),
		traced_case_of(test_flood_of_one_target_loses_nothing_of_another),
	};

	return fixture_run(tests, mount_tracefs, unmount_tracefs);
}
