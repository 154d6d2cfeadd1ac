// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/kube/client_internal.h"
#include "lib/kube/transfer_options.h"

#define HTTP_OK		  200
#define HTTP_UNAUTHORIZED 401
#define STREAM_AT_ONCE	  (256 << 10) /* bytes; then others on the loop have their turn */

struct kube_transfer {
	struct kube_client *client;
	struct curl_loop *curl_loop; /* over whose connections it goes */
	uint64_t started_ms;	     /* uv_now() */
	CURL *easy;
	struct curl_slist *headers;
	char *method;
	char *path;
	char *url;
	char *body;
	char curl_message[CURL_ERROR_SIZE];
	struct text answer; /* what has come and is not handed on */
	bool too_large;
	bool is_paused;
	bool is_received; /* in the client's list of that name */
	struct kube_transfer_request request;
	TAILQ_ENTRY(kube_transfer) entry;
	TAILQ_ENTRY(kube_transfer) received_entry;
};

static bool is_stream(const struct kube_transfer *transfer)
{
	return transfer->request.stream;
}

static long status_of(const struct kube_transfer *transfer)
{
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static void set_received(struct kube_transfer *transfer, bool is_received)
{
	struct kube_transfer_list *received = &transfer->client->received;

	if (transfer->is_received == is_received)
		return;
	transfer->is_received = is_received;
	if (is_received)
		TAILQ_INSERT_TAIL(received, transfer, received_entry);
	else
		TAILQ_REMOVE(received, transfer, received_entry);
}

/*
 * Lets curl go on, in the next turn of the loop: while data comes it would not stop by itself, and
 * nobody else were served, the renewal of our own Lease included. What it held back comes now.
 */
static void transfer_resume(struct kube_transfer *transfer)
{
	if (!transfer->is_paused)
		return;
	transfer->is_paused = false;
	(void)curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* what fails is told by its end */
}

/*
 * CURLOPT_WRITEFUNCTION. Nothing is handed on from in here: a handler may start or cancel
 * transfers, which curl forbids while it works.
 */
static size_t on_data(char *data, size_t size, size_t count, void *context)
{
	struct kube_transfer *transfer = context;
	size_t length = size * count;

	transfer->client->heard_ms = uv_now(transfer->client->uv);
	if (is_stream(transfer) && transfer->answer.length >= STREAM_AT_ONCE) {
		transfer->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	transfer->too_large = transfer->answer.length + length > KUBE_BODY_LIMIT;
	if (transfer->too_large)
		return 0;
	text_append(&transfer->answer, data, length);
	if (transfer->answer.failed)
		return 0;
	if (is_stream(transfer) && status_of(transfer) == HTTP_OK)
		set_received(transfer, true);
	return length;
}

/* CURLOPT_HEADERFUNCTION */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	struct kube_transfer *transfer = context;

	(void)data; /* that there is any is what matters */
	transfer->client->heard_ms = uv_now(transfer->client->uv);
	return size * count;
}

static void transfer_free(struct kube_transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	free(transfer->method);
	free(transfer->path);
	free(transfer->url);
	free(transfer->body);
	text_free(&transfer->answer);
	free(transfer);
}

/* Takes the transfer from curl and the client, so that nothing reaches it any more. */
static void transfer_detach(struct kube_transfer *transfer)
{
	curl_multi_remove_handle(curl_loop_multi(transfer->curl_loop), transfer->easy);
	set_received(transfer, false);
	TAILQ_REMOVE(&transfer->client->transfers, transfer, entry);
}

static void transfer_release(struct kube_transfer *transfer)
{
	if (transfer->request.release)
		transfer->request.release(transfer->request.context);
	transfer_free(transfer);
}

struct kube_transfer *kube_transfer_cancel(struct kube_transfer *transfer)
{
	if (!transfer)
		return NULL;
	transfer_detach(transfer);
	transfer_release(transfer);
	return NULL;
}

/* Why no whole answer came. */
static void describe_failure(const struct kube_transfer *transfer, CURLcode code,
			     struct error *reason)
{
	const char *why =
		*transfer->curl_message ? transfer->curl_message : curl_easy_strerror(code);

	if (transfer->too_large)
		error_set(reason, EMSGSIZE, "%s %s: the answer is larger than %d bytes",
			  transfer->method, transfer->path, KUBE_BODY_LIMIT);
	else
		error_set(reason, EIO, "%s %s: no answer from %s: %s", transfer->method,
			  transfer->path, transfer->client->config.server, why);
}

/* Why the server refused, in its own words (a Status object) where it gave any. */
static void describe_refusal(const struct kube_transfer *transfer,
			     const struct kube_response *response, struct error *reason)
{
	error_set(reason, EREMOTEIO, "%s %s: status %d %s: %s", transfer->method, transfer->path,
		  response->status, json_text(response->body, "reason"),
		  response->body ? json_text(response->body, "message") : "no reason given");
}

/* It may be a date, also one that has passed, which curl tells as less than nothing. */
static int retry_after_of(const struct kube_transfer *transfer)
{
	curl_off_t seconds = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds < 0)
		return 0;
	return seconds > KUBE_RETRY_AFTER_LIMIT ? KUBE_RETRY_AFTER_LIMIT : (int)seconds;
}

static cJSON *decode_answer(struct kube_transfer *transfer)
{
	cJSON *body = NULL;

	if (transfer->answer.length)
		body = cJSON_ParseWithLength(transfer->answer.data, transfer->answer.length);
	text_free(&transfer->answer);
	return body;
}

/* Fills `response` with what came, and `reason` where that is no success. */
static void read_response(struct kube_transfer *transfer, CURLcode code, cJSON **ret_body,
			  struct kube_response *response, struct error *reason)
{
	if (code != CURLE_OK) {
		describe_failure(transfer, code, reason);
		response->reason = reason->message;
		return;
	}
	*ret_body = decode_answer(transfer);
	response->body = *ret_body;
	response->status = (int)status_of(transfer);
	response->retry_after_seconds = retry_after_of(transfer);
	if (response->status / 100 == 2)
		return;
	describe_refusal(transfer, response, reason);
	response->reason = reason->message;
}

/* Whether it was sent, and its time ran out before an answer came. */
static bool is_unanswered(const struct kube_transfer *transfer, CURLcode code)
{
	curl_off_t sent_after = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_after);
	return code == CURLE_OPERATION_TIMEDOUT && sent_after;
}

/* What the result says about the connection and about who we are. */
static void judge_connection(const struct kube_transfer *transfer, CURLcode code, int status)
{
	struct kube_client *client = transfer->client;

	if (is_unanswered(transfer, code) && client->heard_ms <= transfer->started_ms)
		client->is_distrusted = true;
	if (status == HTTP_UNAUTHORIZED)
		kube_client_refused(client);
}

static void transfer_finish(struct kube_transfer *transfer, CURLcode code)
{
	struct kube_response response = {0};
	cleanup_json cJSON *body = NULL;
	struct error reason;

	read_response(transfer, code, &body, &response, &reason);
	judge_connection(transfer, code, response.status);
	transfer_detach(transfer);
	transfer->request.done(transfer->request.context, &response);
	transfer_release(transfer);
}

/* The handler may cancel the transfer, so the data is taken out of it first. */
static void hand_on(struct kube_transfer *transfer)
{
	cleanup_text struct text data = transfer->answer;

	transfer->answer = TEXT_EMPTY;
	set_received(transfer, false);
	transfer_resume(transfer);
	transfer->request.stream(transfer->request.context, data.data, data.length);
}

/* The next transfer that has finished, with its result, or NULL. */
static struct kube_transfer *next_finished(struct kube_client *client, CURLcode *ret_code)
{
	struct kube_transfer *transfer = NULL;
	CURLMsg *message;
	int left;

	message = curl_multi_info_read(curl_loop_multi(client->curl_loop), &left);
	if (!message || message->msg != CURLMSG_DONE)
		return NULL;
	*ret_code = message->data.result;
	curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
	return transfer;
}

void kube_transfers_advance(struct kube_client *client)
{
	struct kube_transfer *transfer;
	CURLcode code;

	while (!TAILQ_EMPTY(&client->received))
		hand_on(TAILQ_FIRST(&client->received));
	while ((transfer = next_finished(client, &code)))
		transfer_finish(transfer, code);
	if (client->is_distrusted)
		kube_client_reconnect(client, "the present ones are of no use any more");
}

/* A transfer that goes over the connections of a loop, or NULL. */
static struct kube_transfer *find_over(struct kube_client *client,
				       const struct curl_loop *curl_loop)
{
	struct kube_transfer *transfer;

	TAILQ_FOREACH(transfer, &client->transfers, entry)
	if (transfer->curl_loop == curl_loop)
		return transfer;
	return NULL;
}

void kube_transfers_fail(struct kube_client *client, const struct curl_loop *curl_loop,
			 const char *why)
{
	struct kube_transfer *transfer;
	struct error reason;

	/* Handlers start and cancel others, so the list is looked through anew each time. */
	while ((transfer = find_over(client, curl_loop))) {
		const struct kube_response response = {.reason = reason.message};

		error_set(&reason, EIO, "%s %s: no answer from %s: %s", transfer->method,
			  transfer->path, client->config.server, why);
		transfer_detach(transfer);
		transfer->request.done(transfer->request.context, &response);
		transfer_release(transfer);
	}
}

/* Copies the request; the path that messages show goes without its query. */
static int transfer_init(struct kube_transfer *transfer, struct kube_client *client,
			 const struct kube_transfer_request *request)
{
	transfer->client = client;
	transfer->request = *request;
	transfer->easy = curl_easy_init();
	transfer->method = strdup(request->method);
	transfer->path = strndup(request->path, strcspn(request->path, "?"));
	if (asprintf(&transfer->url, "%s%s", client->config.server, request->path) < 0)
		transfer->url = NULL;
	if (request->body)
		transfer->body = cJSON_PrintUnformatted(request->body);
	if (!transfer->easy || !transfer->method || !transfer->path || !transfer->url ||
	    (request->body && !transfer->body))
		return -ENOMEM;
	return 0;
}

static long seconds_of(const struct kube_transfer_request *request)
{
	if (request->is_endless)
		return 0;
	return request->seconds ? (long)request->seconds : KUBE_REQUEST_TIMEOUT_SECONDS;
}

static int transfer_configure(struct kube_transfer *transfer, const char *token)
{
	CURL *easy = transfer->easy;
	int failed = 0;

	failed |= transfer_options_headers(&transfer->headers, token,
					   transfer->body ? transfer->request.content_type : NULL);
	failed |= transfer_options_request(easy, transfer->method, transfer->url, transfer->body);
	failed |= transfer_options_security(easy, &transfer->client->config);
	failed |= transfer_options_connection(easy, transfer->client->config.server);
	failed |= transfer_options_time(easy, seconds_of(&transfer->request));
	failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	failed |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_message);
	failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	return failed ? -ENOMEM : 0;
}

static int transfer_launch(struct kube_transfer *transfer)
{
	struct kube_client *client = transfer->client;

	transfer->curl_loop = client->curl_loop;
	transfer->started_ms = uv_now(client->uv);
	if (curl_multi_add_handle(curl_loop_multi(client->curl_loop), transfer->easy) != CURLM_OK)
		return -ENOMEM;
	TAILQ_INSERT_TAIL(&client->transfers, transfer, entry);
	return 0;
}

int kube_transfer_start(struct kube_client *client, const struct kube_transfer_request *request,
			struct kube_transfer **ret_transfer, struct error *error)
{
	struct kube_transfer *transfer;
	const char *token;
	int result = token_source_get(&client->token, &token, error);

	if (result < 0)
		return error_wrap(error, result, "%s %s", request->method, request->path);
	transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return error_set_errno(error, ENOMEM, "%s %s", request->method, request->path);
	result = transfer_init(transfer, client, request);
	if (!result)
		result = transfer_configure(transfer, token);
	if (!result)
		result = transfer_launch(transfer);
	if (result < 0) {
		transfer_free(transfer);
		return error_set_errno(error, -result, "%s %s", request->method, request->path);
	}
	if (ret_transfer)
		*ret_transfer = transfer;
	return 0;
}
