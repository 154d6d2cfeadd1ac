// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/selection/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/base/log.h"

#define REASON_SIZE 256

struct conversation {
	struct link_client *client;
	struct conversation_handlers handlers;
	void *context;
	const char *node;
	const char *version;
	struct utsname kernel;
	uv_timer_t report_timer;
	uv_timer_t lookup_timer;
	int timers; /* of the two above, that the loop still holds */
	uint64_t last_report;
	uint64_t last_lookup;
	uint64_t losses;
	bool asked;		    /* a hello is out that a snapshot will answer */
	bool owes_hello;	    /* memory ran out for it, or for what it brought */
	char last_why[REASON_SIZE]; /* of the last loss, to tell each reason once */
};

/* Says hello when the next report is due. */
static void owe_hello(struct conversation *conversation)
{
	conversation->owes_hello = true;
	conversation_report_soon(conversation);
}

static void send_hello(struct conversation *conversation)
{
	const struct hello hello = {
		.node = conversation->node,
		.agent_version = conversation->version,
		.kernel = conversation->kernel.release,
		.applied = conversation->handlers.version(conversation->context),
	};
	cJSON *message = hello_encode(&hello);

	conversation->owes_hello = false;
	if (message) {
		/* Without a connection there will be another hello on the next one. */
		(void)link_client_send(conversation->client, message);
		return;
	}
	log_error("out of memory: the operator is told hello later");
	owe_hello(conversation);
}

static cJSON *make_report(struct conversation *conversation)
{
	struct selection_version version = conversation->handlers.version(conversation->context);
	struct report report = {
		.epoch = strdup(version.epoch),
		.revision = version.revision,
	};
	cJSON *message = NULL;
	int result = -ENOMEM;

	if (report.epoch)
		result = conversation->handlers.report(conversation->context, &report);
	if (result == 0)
		message = report_encode(&report);
	report_free(&report);
	return message;
}

static void on_report_timer(uv_timer_t *timer)
{
	struct conversation *conversation = timer->data;
	cJSON *message;

	conversation->last_report = uv_now(timer->loop);
	if (!link_client_is_connected(conversation->client))
		return;
	if (conversation->owes_hello)
		send_hello(conversation);
	if (!*conversation->handlers.version(conversation->context).epoch)
		return;
	message = make_report(conversation);
	if (!message)
		log_error("out of memory: no report to the operator");
	else
		/* Without a connection there will be a report on the next one. */
		(void)link_client_send(conversation->client, message);
}

/* Has the timer run out `interval` after `last`, or at once if that was before now. */
static void start_timer(uv_timer_t *timer, uv_timer_cb callback, uint64_t last, uint64_t interval)
{
	uint64_t now = uv_now(timer->loop), next = last + interval;

	if (!uv_is_active((uv_handle_t *)timer))
		uv_timer_start(timer, callback, next > now ? next - now : 0, 0);
}

void conversation_report_soon(struct conversation *conversation)
{
	start_timer(&conversation->report_timer, on_report_timer, conversation->last_report,
		    REPORT_INTERVAL_MS);
}

bool conversation_send(struct conversation *conversation, cJSON *message)
{
	return link_client_send(conversation->client, message) == 0;
}

static void on_lookup_timer(uv_timer_t *timer)
{
	struct conversation *conversation = timer->data;
	struct lookup lookup;

	conversation->last_lookup = uv_now(timer->loop);
	while (link_client_is_connected(conversation->client) &&
	       conversation->handlers.lookup(conversation->context, &lookup)) {
		cJSON *message = lookup_encode(&lookup);

		if (!message)
			log_error("out of memory: the operator is not asked for addresses");
		else
			/* Without a connection, all are asked for again on the next one. */
			(void)link_client_send(conversation->client, message);
	}
}

void conversation_lookup_soon(struct conversation *conversation)
{
	start_timer(&conversation->lookup_timer, on_lookup_timer, conversation->last_lookup,
		    LOOKUP_INTERVAL_MS);
}

static void on_connected(void *context)
{
	struct conversation *conversation = context;

	log_info("connected to the operator");
	conversation->last_why[0] = '\0';
	conversation->asked = false;
	send_hello(conversation);
	conversation->handlers.connected(conversation->context);
	conversation_report_soon(conversation);
	conversation_lookup_soon(conversation);
}

static void on_disconnected(void *context, const char *why)
{
	struct conversation *conversation = context;

	conversation->losses++;
	if (strncmp(conversation->last_why, why, REASON_SIZE - 1) == 0)
		return;
	strncpy(conversation->last_why, why, REASON_SIZE - 1);
	log_warn("no connection to the operator: %s; going on with the last selection", why);
}

/* What was sent does not fit: a hello with what is here brings a snapshot. */
static void ask_anew(struct conversation *conversation, const char *why)
{
	if (conversation->asked)
		return;
	log_warn("the operator is asked for a snapshot: %s", why);
	conversation->asked = true;
	send_hello(conversation);
}

static void on_change(struct conversation *conversation, const cJSON *message)
{
	struct selection_change change;
	struct error error;
	int result = selection_change_decode(message, &change, &error);

	if (result < 0) {
		log_warn("a message from the operator is left out: %s", error.message);
		return;
	}
	if (change.snapshot)
		conversation->asked = false;
	result = conversation->handlers.change(conversation->context, &change, &error);
	if (result == 0)
		conversation_report_soon(conversation);
	else if (!change.snapshot)
		ask_anew(conversation, error.message);
	else
		log_error("the operator's snapshot is not carried out: %s", error.message);
	if (change.snapshot && result == -ENOMEM)
		owe_hello(conversation);
}

static void on_message(void *context, const cJSON *message)
{
	struct conversation *conversation = context;
	enum message_type type;

	if (message_type_decode(message, &type, NULL) < 0 || type != MESSAGE_PEERS)
		on_change(conversation, message);
	else if (peers_array(message))
		conversation->handlers.peers(conversation->context, peers_array(message));
	else
		log_warn("a message from the operator is left out: peers: must be an array");
}

static void on_closed(uv_handle_t *handle)
{
	struct conversation *conversation = handle->data;

	if (--conversation->timers == 0)
		free(conversation);
}

static void init_timers(struct conversation *conversation, uv_loop_t *loop)
{
	conversation->report_timer.data = conversation;
	conversation->lookup_timer.data = conversation;
	uv_timer_init(loop, &conversation->report_timer);
	uv_timer_init(loop, &conversation->lookup_timer);
	conversation->timers = 2;
}

int conversation_new(struct net_context *net, const struct link_client_settings *settings,
		     const char *node, const char *version,
		     const struct conversation_handlers *handlers, void *context,
		     struct conversation **ret_conversation, struct error *error)
{
	static const struct link_client_handlers link_handlers = {
		.connected = on_connected,
		.message = on_message,
		.disconnected = on_disconnected,
	};
	struct conversation *conversation = calloc(1, sizeof(*conversation));
	int result;

	if (!conversation)
		return error_set(error, ENOMEM, "out of memory");
	conversation->handlers = *handlers;
	conversation->context = context;
	conversation->node = node;
	conversation->version = version;
	uname(&conversation->kernel);
	result = link_client_new(net, settings, &link_handlers, conversation, &conversation->client,
				 error);
	if (result < 0) {
		free(conversation);
		return result;
	}
	init_timers(conversation, net_context_loop(net));
	*ret_conversation = conversation;
	return 0;
}

struct conversation *conversation_free(struct conversation *conversation)
{
	if (!conversation)
		return NULL;
	conversation->client = link_client_free(conversation->client);
	uv_close((uv_handle_t *)&conversation->report_timer, on_closed);
	uv_close((uv_handle_t *)&conversation->lookup_timer, on_closed);
	return NULL;
}

bool conversation_is_connected(const struct conversation *conversation)
{
	return link_client_is_connected(conversation->client);
}

uint64_t conversation_losses(const struct conversation *conversation)
{
	return conversation->losses;
}
