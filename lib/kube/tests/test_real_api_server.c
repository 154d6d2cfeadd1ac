// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The client against a real API server, which this test starts with an etcd of its own, on
 * loopback and in a temporary directory, from the programs in $SKEP_KUBERNETES.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/kube/access_review.h"
#include "lib/kube/event.h"
#include "lib/base/file.h"
#include "lib/kube/informer_settings.h"
#include "lib/kube/token_review.h"

#define START_SECONDS  90
#define WAIT_SECONDS   60
#define NAMESPACE_PATH "/api/v1/namespaces/default"
#define CONFIG_MAPS    NAMESPACE_PATH "/configmaps"

/* An API server and a client of it. */
struct server {
	int port;
	pid_t process;
	struct kube_client *client;
};

static struct {
	uv_loop_t loop;
	char directory[64];
	int etcd_port;
	pid_t etcd;
	struct server first;
	struct server second; /* on the same etcd */
} cluster = {.directory = "/tmp/skep-test-api-server-XXXXXX"};

static char *format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *pattern, ...)
{
	va_list arguments;
	char *string;

	va_start(arguments, pattern);
	if (vasprintf(&string, pattern, arguments) < 0)
		abort();
	va_end(arguments);
	return string;
}

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(descriptor, (struct sockaddr *)&address, length) < 0 ||
	    getsockname(descriptor, (struct sockaddr *)&address, &length) < 0)
		abort();
	close(descriptor);
	return ntohs(address.sin_port);
}

static void execute(char *const arguments[])
{
	int log;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(cluster.directory) < 0)
		_exit(126);
	log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	execvp(arguments[0], arguments);
	_exit(127);
}

/* Starts a program in the directory; takes the arguments, which NULL ends, and frees them. */
static pid_t start(char *arguments[])
{
	pid_t process = fork();

	if (process == 0)
		execute(arguments);
	for (int i = 0; arguments[i]; i++)
		free(arguments[i]);
	return process;
}

static void finish(pid_t *process, int signal)
{
	if (*process <= 0)
		return;
	kill(*process, signal);
	waitpid(*process, NULL, 0);
	*process = 0;
}

static pid_t start_etcd(void)
{
	int peer_port = free_port();
	char *arguments[] = {
		format("etcd"),
		format("--data-dir=%s/etcd", cluster.directory),
		format("--unsafe-no-fsync"),
		format("--listen-client-urls=http://127.0.0.1:%d", cluster.etcd_port),
		format("--advertise-client-urls=http://127.0.0.1:%d", cluster.etcd_port),
		format("--listen-peer-urls=http://127.0.0.1:%d", peer_port),
		format("--initial-advertise-peer-urls=http://127.0.0.1:%d", peer_port),
		format("--initial-cluster=default=http://127.0.0.1:%d", peer_port),
		NULL,
	};

	return start(arguments);
}

static pid_t start_api_server(int port)
{
	char *arguments[] = {
		format("%s/kube-apiserver", getenv("SKEP_KUBERNETES")),
		format("--etcd-servers=http://127.0.0.1:%d", cluster.etcd_port),
		format("--bind-address=127.0.0.1"),
		format("--advertise-address=127.0.0.1"),
		format("--endpoint-reconciler-type=none"),
		format("--secure-port=%d", port),
		format("--insecure-port=0"),
		format("--tls-cert-file=tls.crt"),
		format("--tls-private-key-file=tls.key"),
		format("--client-ca-file=tls.crt"),
		format("--cert-dir=%s", cluster.directory),
		format("--service-cluster-ip-range=10.96.0.0/24"),
		format("--service-account-issuer=https://kubernetes.default.svc"),
		format("--service-account-key-file=tls.key"),
		format("--service-account-signing-key-file=tls.key"),
		format("--token-auth-file=tokens.csv"),
		format("--authorization-mode=RBAC"),
		format("--disable-admission-plugins=ServiceAccount"),
		NULL,
	};

	return start(arguments);
}

/* One key pair serves TLS and signs the service account tokens. */
static void make_certificate(void)
{
	char *arguments[] = {
		format("openssl"),
		format("req"),
		format("-x509"),
		format("-newkey"),
		format("rsa:2048"),
		format("-nodes"),
		format("-subj"),
		format("/CN=test"),
		format("-addext"),
		format("subjectAltName=IP:127.0.0.1"),
		format("-keyout"),
		format("tls.key"),
		format("-out"),
		format("tls.crt"),
		NULL,
	};
	int status;

	waitpid(start(arguments), &status, 0);
	assert_int_equal(status, 0);
}

static void write_file(const char *name, const char *contents)
{
	char *path = format("%s/%s", cluster.directory, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(contents, file);
	fclose(file);
	free(path);
}

static struct kube_client *client_of(int port)
{
	struct kube_config config = {
		.server = format("https://127.0.0.1:%d", port),
		.ca_file = format("%s/tls.crt", cluster.directory),
		.token_file = format("%s/token", cluster.directory),
	};
	struct kube_client *client;

	assert_int_equal(kube_client_new(&cluster.loop, &config, &client, NULL), 0);
	kube_config_free(&config);
	return client;
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer; /* wakes the loop, no more */
}

/* Runs the loop for some milliseconds. */
static void run_for(uint64_t milliseconds)
{
	uv_timer_t timer;

	uv_timer_init(&cluster.loop, &timer);
	uv_timer_start(&timer, on_tick, milliseconds, 0);
	while (uv_is_active((uv_handle_t *)&timer))
		uv_run(&cluster.loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&cluster.loop, UV_RUN_NOWAIT);
}

/* What a call brought. */
struct answer {
	bool has_come;
	int status;
	char *reason;
	cJSON *body;
};

static void on_response(void *context, const struct kube_response *response)
{
	struct answer *answer = context;

	answer->has_come = true;
	answer->status = response->status;
	answer->reason = response->reason ? strdup(response->reason) : NULL;
	answer->body = cJSON_Duplicate(response->body, true);
}

/* Sends a request and waits for the answer; `json` is NULL or the body. */
static struct answer call(struct kube_client *client, const char *method, const char *path,
			  const char *type, const char *json)
{
	struct answer answer = {0};
	cJSON *body = json ? cJSON_Parse(json) : NULL;

	assert_int_equal(kube_request(client, method, path, type, body, on_response, &answer, NULL),
			 0);
	cJSON_Delete(body);
	while (!answer.has_come)
		uv_run(&cluster.loop, UV_RUN_ONCE);
	return answer;
}

static void answer_free(struct answer *answer)
{
	free(answer->reason);
	cJSON_Delete(answer->body);
}

/* call() where another status than `status` fails the test. */
static void must(struct kube_client *client, const char *method, const char *path, const char *type,
		 const char *json, int status)
{
	struct answer answer = call(client, method, path, type, json);

	if (answer.status != status)
		fail_msg("status %d, not %d: %s", answer.status, status, answer.reason);
	answer_free(&answer);
}

/* Asks again until the status comes. */
static void await_status(struct kube_client *client, const char *method, const char *path,
			 const char *json, int status)
{
	for (int i = 0; i < START_SECONDS * 5; i++) {
		struct answer answer = call(client, method, path, KUBE_JSON, json);
		bool has_come = answer.status == status;

		answer_free(&answer);
		if (has_come)
			return;
		run_for(200);
	}
	fail_msg("%s %s did not become %d", method, path, status);
}

static void server_start(struct server *server)
{
	if (!server->port)
		server->port = free_port();
	server->process = start_api_server(server->port);
	if (!server->client)
		server->client = client_of(server->port);
}

static int start_cluster(void **state)
{
	(void)state;
	if (!getenv("SKEP_KUBERNETES")) {
		print_message("skipped: SKEP_KUBERNETES does not name a folder with Kubernetes\n");
		return 0;
	}
	uv_loop_init(&cluster.loop);
	if (!mkdtemp(cluster.directory))
		return -1;
	make_certificate();
	write_file("tokens.csv", "admin-token,admin,1,system:masters\n");
	write_file("token", "admin-token\n");
	cluster.etcd_port = free_port();
	cluster.etcd = start_etcd();
	server_start(&cluster.first);
	server_start(&cluster.second);
	await_status(cluster.first.client, "GET", "/readyz", NULL, 200);
	await_status(cluster.second.client, "GET", "/readyz", NULL, 200);
	await_status(cluster.first.client, "GET", NAMESPACE_PATH, NULL, 200);
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status, (void)kind, (void)walk;
	return remove(path);
}

static int stop_cluster(void **state)
{
	(void)state;
	if (!getenv("SKEP_KUBERNETES"))
		return 0;
	kube_client_free(cluster.first.client);
	kube_client_free(cluster.second.client);
	uv_run(&cluster.loop, UV_RUN_DEFAULT);
	finish(&cluster.first.process, SIGKILL);
	finish(&cluster.second.process, SIGKILL);
	finish(&cluster.etcd, SIGKILL);
	nftw(cluster.directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return uv_loop_close(&cluster.loop);
}

static void need_cluster(void)
{
	if (!getenv("SKEP_KUBERNETES"))
		skip();
}

/* An informer of the config maps, and what it told. */
struct follower {
	struct kube_informer *informer;
	struct text told;
};

static void on_upsert(void *context, const cJSON *object)
{
	struct follower *follower = context;

	text_append_format(&follower->told, "+%s=%s ", json_text(object, "metadata", "name"),
			   json_text(object, "data", "v"));
}

static void on_remove(void *context, const char *namespace, const char *name, const char *uid)
{
	struct follower *follower = context;

	assert_string_equal(namespace, "default");
	assert_int_equal(strlen(uid), 36);
	text_append_format(&follower->told, "-%s ", name);
}

static void on_synced(void *context)
{
	struct follower *follower = context;

	text_append_string(&follower->told, "synced ");
}

static void follow(struct follower *follower, uint32_t page_limit)
{
	const struct kube_informer_handlers handlers = {on_upsert, on_remove, on_synced};
	struct kube_informer_settings settings = kube_informer_default_settings();

	settings.page_limit = page_limit;
	settings.backoff_most = 1000;
	*follower = (struct follower){0};
	assert_int_equal(kube_informer_new_with(cluster.first.client, CONFIG_MAPS, NULL, &settings,
						&handlers, follower, &follower->informer, NULL),
			 0);
}

static void unfollow(struct follower *follower)
{
	kube_informer_free(follower->informer);
	text_free(&follower->told);
	run_for(1);
}

/* Waits until `text` has been told, and forgets what was told up to then. */
static void await_told(struct follower *follower, const char *text)
{
	for (int i = 0; i < WAIT_SECONDS * 50; i++) {
		if (follower->told.data && strstr(follower->told.data, text)) {
			text_clear(&follower->told);
			return;
		}
		run_for(20);
	}
	fail_msg("\"%s\" was not told, but \"%s\"", text, follower->told.data);
}

static void set_config_map(struct kube_client *client, const char *name, const char *value)
{
	char *path = format(CONFIG_MAPS "/%s?fieldManager=test&force=true", name);
	char *json = format("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
			    "\"%s\"},\"data\":{\"v\":\"%s\"}}",
			    name, value);
	struct answer answer = call(client, "PATCH", path, KUBE_APPLY, json);

	assert_int_equal(answer.status / 100, 2);
	answer_free(&answer);
	free(path);
	free(json);
}

static void delete_config_map(struct kube_client *client, const char *name)
{
	char *path = format(CONFIG_MAPS "/%s", name);

	must(client, "DELETE", path, NULL, NULL, 200);
	free(path);
}

static void follows_a_collection(void **state)
{
	struct kube_client *client = cluster.first.client;
	struct follower follower;

	(void)state;
	need_cluster();
	set_config_map(client, "a", "1");
	set_config_map(client, "b", "1");
	set_config_map(client, "c", "1");
	follow(&follower, 2); /* so that there is a second page */
	await_told(&follower, "+a=1 +b=1 +c=1 synced ");
	set_config_map(client, "d", "1");
	await_told(&follower, "+d=1 ");
	set_config_map(client, "a", "2");
	await_told(&follower, "+a=2 ");
	delete_config_map(client, "b");
	await_told(&follower, "-b ");
	assert_int_equal(kube_informer_stats(follower.informer).objects, 3);
	assert_int_equal(kube_informer_stats(follower.informer).failures, 0);
	unfollow(&follower);
}

static void catches_up_after_a_restart_of_the_api_server(void **state)
{
	struct kube_client *meanwhile = cluster.second.client;
	struct follower follower;

	(void)state;
	need_cluster();
	set_config_map(meanwhile, "kept", "1");
	set_config_map(meanwhile, "gone", "1");
	set_config_map(meanwhile, "again", "1");
	follow(&follower, 500);
	await_told(&follower, "synced ");
	finish(&cluster.first.process, SIGKILL);
	run_for(100);
	set_config_map(meanwhile, "kept", "2");
	set_config_map(meanwhile, "new", "1");
	delete_config_map(meanwhile, "gone");
	delete_config_map(meanwhile, "again");
	set_config_map(meanwhile, "again", "2");
	server_start(&cluster.first);
	for (int i = 0; i < WAIT_SECONDS * 50 && !strstr(follower.told.data, "-gone "); i++)
		run_for(20);
	run_for(500);
	assert_non_null(strstr(follower.told.data, "-gone "));
	assert_non_null(strstr(follower.told.data, "+kept=2 "));
	assert_non_null(strstr(follower.told.data, "+new=1 "));
	assert_non_null(strstr(follower.told.data, "-again +again=2 "));
	assert_null(strstr(follower.told.data, "synced "));
	assert_null(strstr(follower.told.data, "+a=")); /* which did not change */
	assert_true(kube_informer_stats(follower.informer).failures > 0);
	text_clear(&follower.told);
	set_config_map(meanwhile, "after", "1");
	await_told(&follower, "+after=1 ");
	unfollow(&follower);
	await_status(cluster.first.client, "GET", "/readyz", NULL, 200);
}

static const char thing_definition[] =
	"{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
	"\"metadata\":{\"name\":\"things.skep.test\"},\"spec\":{\"group\":\"skep.test\","
	"\"scope\":\"Namespaced\",\"names\":{\"plural\":\"things\",\"singular\":\"thing\","
	"\"kind\":\"Thing\",\"listKind\":\"ThingList\"},\"versions\":[{\"name\":\"v1\","
	"\"served\":true,\"storage\":true,\"subresources\":{\"status\":{}},\"schema\":{"
	"\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\"},"
	"\"status\":{\"type\":\"object\",\"properties\":{\"pods\":{\"type\":\"integer\"}}}}}}}]}}";

#define THINGS_PATH "/apis/skep.test/v1/namespaces/default/things"
#define THING(more)                                                                                \
	"{\"apiVersion\":\"skep.test/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"t\"}" more "}"

static void applies_the_status_of_a_custom_resource(void **state)
{
	struct kube_client *client = cluster.first.client;
	struct answer answer;

	(void)state;
	need_cluster();
	must(client, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", KUBE_JSON,
	     thing_definition, 201);
	await_status(client, "POST", THINGS_PATH, THING(""), 201);
	must(client, "PATCH", THINGS_PATH "/t/status?fieldManager=skep-operator&force=true",
	     KUBE_APPLY, THING(",\"status\":{\"pods\":12}"), 200);
	answer = call(client, "GET", THINGS_PATH "/t", NULL, NULL);
	assert_int_equal(json_integer(answer.body, 0, "status", "pods"), 12);
	answer_free(&answer);
	answer =
		call(client, "PATCH", THINGS_PATH "/t/status?fieldManager=skep-operator&force=true",
		     KUBE_APPLY, THING(",\"status\":{\"pods\":\"many\"}"));
	/* 1.20 says 500 to what does not fit the schema, later versions 4xx. */
	assert_int_not_equal(answer.status / 100, 2);
	assert_non_null(strstr(answer.reason, "pods"));
	answer_free(&answer);
}

static const char account[] =
	"{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"agent\"}}";
static const char pod[] =
	"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"agent-1\"},"
	"\"spec\":{\"serviceAccountName\":\"agent\",\"containers\":[{\"name\":\"c\",\"image\":"
	"\"i\"}]}}";

/* A token for the audience "skep-operator", bound to the pod; the caller frees it. */
static char *bound_token(struct kube_client *client, const char *pod_uid)
{
	char *request = format("{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":"
			       "\"TokenRequest\",\"spec\":{\"audiences\":[\"skep-operator\"],"
			       "\"expirationSeconds\":3600,\"boundObjectRef\":{\"kind\":\"Pod\","
			       "\"apiVersion\":\"v1\",\"name\":\"agent-1\",\"uid\":\"%s\"}}}",
			       pod_uid);
	struct answer answer = call(client, "POST", NAMESPACE_PATH "/serviceaccounts/agent/token",
				    KUBE_JSON, request);
	char *token = strdup(json_text(answer.body, "status", "token"));

	assert_string_not_equal(token, "");
	answer_free(&answer);
	free(request);
	return token;
}

struct verdict {
	bool has_come;
	char owner[256];
	char refusal[512];
};

static void on_reviewed(void *context, const struct kube_token_owner *owner, const char *refusal,
			bool answered)
{
	struct verdict *verdict = context;

	assert_true(answered);

	verdict->has_come = true;
	if (owner)
		snprintf(verdict->owner, sizeof(verdict->owner), "%s %s %s", owner->username,
			 owner->pod_name, owner->pod_uid);
	snprintf(verdict->refusal, sizeof(verdict->refusal), "%s", refusal ? refusal : "");
}

static struct verdict review(struct kube_client *client, const char *token, const char *audience)
{
	struct verdict verdict = {0};

	assert_int_equal(kube_token_review(client, token, audience, on_reviewed, &verdict, NULL),
			 0);
	while (!verdict.has_come)
		uv_run(&cluster.loop, UV_RUN_ONCE);
	return verdict;
}

static void reviews_a_bound_token(void **state)
{
	struct kube_client *client = cluster.first.client;
	struct answer answer;
	struct verdict verdict;
	char *token, *owner;

	(void)state;
	need_cluster();
	must(client, "POST", NAMESPACE_PATH "/serviceaccounts", KUBE_JSON, account, 201);
	answer = call(client, "POST", NAMESPACE_PATH "/pods", KUBE_JSON, pod);
	assert_int_equal(answer.status, 201);
	token = bound_token(client, json_text(answer.body, "metadata", "uid"));
	owner = format("system:serviceaccount:default:agent agent-1 %s",
		       json_text(answer.body, "metadata", "uid"));
	answer_free(&answer);
	verdict = review(client, token, "skep-operator");
	assert_string_equal(verdict.refusal, "");
	assert_string_equal(verdict.owner, owner);
	verdict = review(client, token, "another");
	assert_string_equal(verdict.owner, "");
	assert_string_not_equal(verdict.refusal, "");
	verdict = review(client, "nonsense", "skep-operator");
	assert_string_equal(verdict.owner, "");
	assert_string_not_equal(verdict.refusal, "");
	free(token);
	free(owner);
}

static const char reader[] =
	"{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\",\"metadata\":{"
	"\"name\":\"reader\"},\"rules\":[{\"apiGroups\":[\"skep.dev\"],\"resources\":["
	"\"observabilitypolicies\"],\"verbs\":[\"get\"]}]}";
static const char reader_binding[] =
	"{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\","
	"\"metadata\":{\"name\":\"reader\"},\"roleRef\":{\"apiGroup\":"
	"\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"reader\"},\"subjects\":[{"
	"\"kind\":\"Group\",\"apiGroup\":\"rbac.authorization.k8s.io\",\"name\":\"readers\"}]}";

static void on_allowed(void *context, bool allowed, const char *failure)
{
	assert_null(failure);
	*(int *)context = allowed;
}

/* Whether a member of a group may get policies in a namespace. */
static bool may_get(const char *group, const char *namespace)
{
	char *text = format("{\"username\":\"ann\",\"groups\":[\"%s\"]}", group);
	cJSON *user = cJSON_Parse(text);
	const struct kube_access_question question = {.user = user,
						      .verb = "get",
						      .group = "skep.dev",
						      .resource = "observabilitypolicies",
						      .namespace = namespace};
	int allowed = -1;

	assert_int_equal(
		kube_access_review(cluster.first.client, &question, on_allowed, &allowed, NULL), 0);
	while (allowed < 0)
		uv_run(&cluster.loop, UV_RUN_ONCE);
	cJSON_Delete(user);
	free(text);
	return allowed;
}

static void reviews_rights(void **state)
{
	static const char path[] = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
	static const char binding_path[] =
		"/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";

	(void)state;
	need_cluster();
	assert_false(may_get("readers", "default"));
	must(cluster.first.client, "POST", path, KUBE_JSON, reader, 201);
	must(cluster.first.client, "POST", binding_path, KUBE_JSON, reader_binding, 201);
	for (int i = 0; i < 100 && !may_get("readers", "default"); i++)
		run_for(100); /* the server takes a moment to know */
	assert_true(may_get("readers", "default"));
	assert_false(may_get("readers", "kube-system"));
	assert_false(may_get("readers", ""));
	assert_false(may_get("others", "default"));
	assert_true(may_get("system:masters", ""));
}

static void writes_events(void **state)
{
	const struct kube_object_reference object = {"v1", "ConfigMap", "default", "a", "u-1"};
	struct kube_client *client = cluster.first.client;
	int count = 0;

	(void)state;
	need_cluster();
	kube_event_send(client, &object, true, "Tested", "it was", "skep-operator");
	kube_event_send(client, &object, true, "Tested", "it was", "skep-operator");
	for (int i = 0; i < WAIT_SECONDS * 10 && count < 2; i++) {
		struct answer answer =
			call(client, "GET", NAMESPACE_PATH "/events?fieldSelector=reason%3DTested",
			     NULL, NULL);

		count = cJSON_GetArraySize(json_find(answer.body, "items"));
		answer_free(&answer);
		run_for(100);
	}
	assert_int_equal(count, 2);
}

static int count_sockets(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(directory))) {
		char *path = format("/proc/self/fd/%s", entry->d_name);
		char target[16] = "";

		if (readlink(path, target, sizeof(target) - 1) > 0)
			count += strncmp(target, "socket:", 7) == 0;
		free(path);
	}
	closedir(directory);
	return count;
}

static void shares_one_connection(void **state)
{
	struct kube_client *client = cluster.first.client;
	struct answer answers[20] = {0};
	struct follower followers[3];
	int before;

	(void)state;
	need_cluster();
	must(client, "GET", "/version", NULL, NULL, 200);
	before = count_sockets();
	for (int i = 0; i < 3; i++)
		follow(&followers[i], 500);
	for (int i = 0; i < 20; i++)
		assert_int_equal(kube_request(client, "GET", CONFIG_MAPS, NULL, NULL, on_response,
					      &answers[i], NULL),
				 0);
	run_for(1000);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(answers[i].status, 200);
		answer_free(&answers[i]);
	}
	assert_int_equal(count_sockets(), before);
	for (int i = 0; i < 3; i++)
		unfollow(&followers[i]);
}

static char *contents_of(const char *name)
{
	char *path = format("%s/%s", cluster.directory, name);
	struct text contents = TEXT_EMPTY;

	assert_int_equal(file_read(path, 1 << 16, &contents, NULL), 0);
	free(path);
	return contents.data;
}

/* The server knows whose certificate it is, and says so when it refuses. */
static void expect_user_of_certificate(struct kube_config *config)
{
	struct kube_client *client;
	struct answer answer;

	config->server = format("https://127.0.0.1:%d", cluster.second.port);
	assert_int_equal(kube_client_new(&cluster.loop, config, &client, NULL), 0);
	kube_config_free(config);
	answer = call(client, "GET", CONFIG_MAPS, NULL, NULL);
	assert_int_equal(answer.status, 403);
	assert_non_null(strstr(answer.reason, "User \"test\" cannot list"));
	answer_free(&answer);
	kube_client_free(client);
	run_for(1);
}

static void logs_in_with_a_certificate(void **state)
{
	struct kube_config files = {0}, data = {0};

	(void)state;
	need_cluster();
	files.ca_file = format("%s/tls.crt", cluster.directory);
	files.certificate_file = format("%s/tls.crt", cluster.directory);
	files.key_file = format("%s/tls.key", cluster.directory);
	expect_user_of_certificate(&files);
	data.ca_data = contents_of("tls.crt");
	data.certificate_data = contents_of("tls.crt");
	data.key_data = contents_of("tls.key");
	expect_user_of_certificate(&data);
}

static void refuses_a_server_that_it_cannot_trust(void **state)
{
	struct kube_config config = {0};
	struct kube_client *client;
	struct answer answer;

	(void)state;
	need_cluster();
	config.server = format("https://127.0.0.1:%d", cluster.second.port);
	config.token = strdup("admin-token");
	assert_int_equal(kube_client_new(&cluster.loop, &config, &client, NULL), 0);
	answer = call(client, "GET", "/readyz", NULL, NULL);
	assert_int_equal(answer.status, 0);
	assert_non_null(strstr(answer.reason, "certificate"));
	answer_free(&answer);
	kube_client_free(client);
	kube_config_free(&config);
	run_for(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_a_collection),
		cmocka_unit_test(catches_up_after_a_restart_of_the_api_server),
		cmocka_unit_test(applies_the_status_of_a_custom_resource),
		cmocka_unit_test(reviews_a_bound_token),
		cmocka_unit_test(reviews_rights),
		cmocka_unit_test(writes_events),
		cmocka_unit_test(shares_one_connection),
		cmocka_unit_test(logs_in_with_a_certificate),
		cmocka_unit_test(refuses_a_server_that_it_cannot_trust),
	};

	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
