// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Both ways to be wrong: a secret that is shown, and what is no secret hidden. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node-agent/probes/redact.h"

#define ARGUMENTS_LIMIT 12
#define ARGUMENT_SIZE	512

/* Arguments are separated by '|' in both; none of the cases has one of its own. */
struct redaction {
	const char *command;
	const char *expected;
};

static const struct redaction secrets[] = {
	{"app|--password=hunter2", "app|--password=***"},
	{"app|--password|hunter2", "app|--password|***"},
	{"app|-password|hunter2", "app|-password|***"},
	{"app|--db-password=a,b;c&d e", "app|--db-password=***"},
	{"app|--dbPassword=hunter2", "app|--dbPassword=***"},
	{"app|--passwd=hunter2", "app|--passwd=***"},
	{"app|--client-secret|abc", "app|--client-secret|***"},
	{"app|--token|abcdef", "app|--token|***"},
	{"app|--api-key=abcdef", "app|--api-key=***"},
	{"app|--apikey=abcdef", "app|--apikey=***"},
	{"app|--auth=user", "app|--auth=***"},
	{"app|--cookie=a=b", "app|--cookie=***"},
	{"app|--session-id=12345", "app|--session-id=***"},
	{"app|--signature=xyz", "app|--signature=***"},
	{"app|--private-key=MIIabc", "app|--private-key=***"},
	{"app|--passphrase=to be or not", "app|--passphrase=***"},
	{"app|--aws-credentials=abc", "app|--aws-credentials=***"},
	{"app|--password=/not/a/path", "app|--password=***"},
	{"app|--pwd=ab", "app|--pwd=**"},
	{"java|-Ddb.password=hunter2|Main", "java|-Ddb.password=***|Main"},
	{"java|-Djavax.net.ssl.keyStorePassword=x1y2", "java|-Djavax.net.ssl.keyStorePassword=***"},
	{"env|PGPASSWORD=hunter2|psql", "env|PGPASSWORD=***|psql"},
	{"env|DB_PASSWORD=two words|app", "env|DB_PASSWORD=***|app"},
	{"env|MYSQL_PWD=hunter2", "env|MYSQL_PWD=***"},
	{"env|AWS_SECRET_ACCESS_KEY=abc", "env|AWS_SECRET_ACCESS_KEY=***"},
	{"env|GITHUB_TOKEN=abc|git", "env|GITHUB_TOKEN=***|git"},
	{"mysql|-phunter2|shop", "mysql|-p***|shop"},
	{"/usr/bin/mysqldump|-uroot|-phunter2", "/usr/bin/mysqldump|-uroot|-p***"},
	{"mariadb|-pab", "mariadb|-p**"},
	{"sudo|mysql|-phunter2", "sudo|mysql|-p***"},
	{"sshpass|-p|hunter2|ssh|host", "sshpass|-p|***|ssh|host"},
	{"redis-cli|-a|hunter2|get|x", "redis-cli|-a|***|get|x"},
	{"docker|login|-u|me|-p|hunter2", "docker|login|-u|me|-p|***"},
	{"ldapsearch|-x|-w|hunter2", "ldapsearch|-x|-w|***"},
	{"curl|-u|me:hunter2|http://h", "curl|-u|me:***|http://h"},
	{"curl|-sSu|me:hunter2|http://h", "curl|-sSu|me:***|http://h"},
	{"curl|-ume:hunter2|http://h", "curl|-ume:***|http://h"},
	{"curl|--user|me:hunter2|http://h", "curl|--user|me:***|http://h"},
	{"curl|--user=me:hunter2", "curl|--user=me:***"},
	{"curl|-H|Authorization: Bearer abcdef|h", "curl|-H|Authorization: Bearer ***|h"},
	{"curl|-H|Authorization: abcdef", "curl|-H|Authorization: ***"},
	{"curl|-H|authorization:Basic bWU6", "curl|-H|authorization:Basic ***"},
	{"curl|-H|X-Api-Key: abcdef", "curl|-H|X-Api-Key: ***"},
	{"curl|-H|Cookie: a=b; c=d", "curl|-H|Cookie: ***"},
	{"curl|-HAuthorization: Bearer abc", "curl|-HAuthorization: Bearer ***"},
	{"openssl|rsa|-passin|pass:hunter2", "openssl|rsa|-passin|pass:***"},
	{"psql|postgres://me:hunter2@db/shop", "psql|postgres://me:***@db/shop"},
	{"psql|postgres://me:p@ss@db:5432/shop", "psql|postgres://me:***@db:5432/shop"},
	{"git|clone|https://ghp_a1B2c3D4e5F6g7H8i9J0@github.com/x",
	 "git|clone|https://***@github.com/x"},
	{"psql|host=db password=hunter2 user=me", "psql|host=db password=*** user=me"},
	{"app|Server=db;Password=hunter2;Encrypt=1", "app|Server=db;Password=***;Encrypt=1"},
	{"curl|https://h/p?token=abc&page=2", "curl|https://h/p?token=***&page=2"},
	{"curl|-d|{\"password\":\"hunter2\",\"user\":\"me\"}",
	 "curl|-d|{\"password\":\"***\",\"user\":\"me\"}"},
	{"curl|-d|{\"user\": \"me\", \"password\": \"hunter2\"}",
	 "curl|-d|{\"user\": \"me\", \"password\": \"***\"}"},
	{"sh|-c|mysql -phunter2 shop", "sh|-c|mysql -p*** shop"},
	{"sh|-c|PASSWORD=hunter2 app --verbose", "sh|-c|PASSWORD=*** app --verbose"},
	{"sh|-c|app --password 'two words' --verbose", "sh|-c|app --password '***' --verbose"},
	{"sh|-c|app --password=\"two words\" -v", "sh|-c|app --password=\"***\" -v"},
	{"bash|-lc|curl -H \"Authorization: Bearer abc\" http://h",
	 "bash|-lc|curl -H \"Authorization: Bearer ***\" http://h"},
	{"sh|-c|curl -u me:hunter2 http://h; echo done",
	 "sh|-c|curl -u me:*** http://h; echo done"},
	{"sh|-c|export TOKEN=abc; app", "sh|-c|export TOKEN=***; app"},
	{"sh|-c|bash -c 'mysql -phunter2'", "sh|-c|bash -c 'mysql -p***'"},
	{"ssh|host|mysql -phunter2", "ssh|host|mysql -p***"},
	{"app|eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.dGVzdA-_x", "app|***"},
	{"app|-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "app|***\n"},
	{"app|x -----BEGIN RSA PRIVATE KEY-----\nMIIEcut", "app|x ***"},
	{"app|wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "app|***"},
	{"app|ghp_a1B2c3D4e5F6g7H8i9J0k1L2", "app|***"},
	{"app|9f86d081884c7d659a2feaa0c55ad015", "app|***"},
	{"app|--hash=9f86d081884c7d659a2feaa0c55ad015", "app|--hash=***"},
	{"app|Bearer|abcdef", "app|Bearer|***"},
	{"app|--token=", "app|--token="},
};

static const struct redaction harmless[] = {
	{"ls|-la|/var/lib/app", "ls|-la|/var/lib/app"},
	{"git|commit|--author=Ann", "git|commit|--author=Ann"},
	{"app|--keyspace=shop", "app|--keyspace=shop"},
	{"app|--monkey=banana", "app|--monkey=banana"},
	{"app|--password-file=/run/secrets/db", "app|--password-file=/run/secrets/db"},
	{"app|--password-file|/run/secrets/db", "app|--password-file|/run/secrets/db"},
	{"docker|login|--password-stdin|registry", "docker|login|--password-stdin|registry"},
	{"app|--token-ttl=5m", "app|--token-ttl=5m"},
	{"app|--session-timeout=30", "app|--session-timeout=30"},
	{"app|--auth-type=basic", "app|--auth-type=basic"},
	{"app|--auth=false", "app|--auth=false"},
	{"app|--tls-key=/etc/tls/tls.key", "app|--tls-key=/etc/tls/tls.key"},
	{"app|--public-key=abc", "app|--public-key=abc"},
	{"sort|--sort-key=name", "sort|--sort-key=name"},
	{"app|--no-auth|--verbose", "app|--no-auth|--verbose"},
	{"app|--token|--verbose", "app|--token|--verbose"},
	{"env|PWD=/app|app", "env|PWD=/app|app"},
	{"mysql|-p|shop", "mysql|-p|shop"},
	{"docker|run|-p|8080:80|nginx", "docker|run|-p|8080:80|nginx"},
	{"docker|run|--user|1000:1000|nginx", "docker|run|--user|1000:1000|nginx"},
	{"mkdir|-p|/var/lib/app", "mkdir|-p|/var/lib/app"},
	{"ps|-u|me", "ps|-u|me"},
	{"curl|http://h:8080/path", "curl|http://h:8080/path"},
	{"git|clone|git@github.com:a/b", "git|clone|git@github.com:a/b"},
	{"docker|pull|token-service:v1.2.3", "docker|pull|token-service:v1.2.3"},
	{"docker|pull|x@sha256:9f86d081884c7d659a2feaa0c55ad015",
	 "docker|pull|x@sha256:9f86d081884c7d659a2feaa0c55ad015"},
	{"kubectl|logs|checkout-deployment-5d8f7c9b6-x2x8z",
	 "kubectl|logs|checkout-deployment-5d8f7c9b6-x2x8z"},
	{"app|2f1c8a52-9d1e-4f60-8a6e-0d5b1c9e7f33", "app|2f1c8a52-9d1e-4f60-8a6e-0d5b1c9e7f33"},
	{"app|libstdc++-12.2.0-14-deb12u1-amd64", "app|libstdc++-12.2.0-14-deb12u1-amd64"},
	{"app|/usr/lib/x86_64-linux-gnu/libc.so.6", "app|/usr/lib/x86_64-linux-gnu/libc.so.6"},
	{"app|src/main/java/com/example/Service2Impl",
	 "app|src/main/java/com/example/Service2Impl"},
	{"app|internationalizationhandler", "app|internationalizationhandler"},
	{"app|20261121042500000000000", "app|20261121042500000000000"},
	{"app|--password=$PASSWORD", "app|--password=$PASSWORD"},
	{"sh|-c|app --token ${TOKEN} -v", "sh|-c|app --token ${TOKEN} -v"},
	{"sh|-c|sleep 1; echo 'ready' && exit 0", "sh|-c|sleep 1; echo 'ready' && exit 0"},
	{"app|", "app|"},
	{"", ""},
	{"app|-", "app|-"},
	{"app|--", "app|--"},
};

/* Cuts a command at '|' and puts it together again when it has been redacted. */
static void redact(const char *command, char ret_text[ARGUMENT_SIZE])
{
	char copies[ARGUMENTS_LIMIT][ARGUMENT_SIZE];
	char *arguments[ARGUMENTS_LIMIT] = {NULL};
	size_t count = 0;

	for (const char *next = command; next; count++) {
		const char *end = strchrnul(next, '|');

		snprintf(copies[count], ARGUMENT_SIZE, "%.*s", (int)(end - next), next);
		arguments[count] = copies[count];
		next = *end ? end + 1 : NULL;
	}
	redact_arguments(arguments, count);
	ret_text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		strcat(ret_text, i ? "|" : "");
		strcat(ret_text, arguments[i]);
	}
}

static size_t count_wrong(const struct redaction *cases, size_t count)
{
	size_t wrong = 0;

	for (size_t i = 0; i < count; i++) {
		char text[ARGUMENT_SIZE];

		redact(cases[i].command, text);
		if (strcmp(text, cases[i].expected) == 0)
			continue;
		print_error("%s\n  became %s\n  not    %s\n", cases[i].command, text,
			    cases[i].expected);
		wrong++;
	}
	return wrong;
}

static void test_secrets_are_masked(void **state)
{
	(void)state;
	assert_int_equal(count_wrong(secrets, sizeof(secrets) / sizeof(secrets[0])), 0);
}

static void test_the_rest_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(count_wrong(harmless, sizeof(harmless) / sizeof(harmless[0])), 0);
}

/* What has been masked once stays as it is. */
static void test_masking_twice_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		const struct redaction again = {secrets[i].expected, secrets[i].expected};

		assert_int_equal(count_wrong(&again, 1), 0);
	}
}

/* Words drawn at random from what the rules look for: no argument may grow. */
static void test_nothing_grows(void **state)
{
	static const char *const pieces[] = {
		"password", "=", ":",	" ",   "\"",	"'", "\\", "--",      "-p", "://",
		"@",	    "x", "eyJ", "***", "mysql", "{", "}",  "Bearer ", "&",  "a1B2c3D4"};
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[ARGUMENT_SIZE] = "";
		char *arguments[] = {text};
		size_t length;

		for (int i = 0; i < 12; i++) {
			seed = seed * 1664525 + 1013904223;
			strcat(text, pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))]);
		}
		length = strlen(text);
		redact_arguments(arguments, 1);
		assert_true(strlen(text) <= length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets_are_masked),
		cmocka_unit_test(test_the_rest_is_left_alone),
		cmocka_unit_test(test_masking_twice_changes_nothing),
		cmocka_unit_test(test_nothing_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
