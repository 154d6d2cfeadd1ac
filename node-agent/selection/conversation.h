/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The agent's side of the conversation with the operator: says hello, hands changes of the
 * selection on, asks anew when one does not fit, reports, often enough and not more, and asks whose
 * addresses are.
 */
#ifndef SKEP_NODE_AGENT_SELECTION_CONVERSATION_H
#define SKEP_NODE_AGENT_SELECTION_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/link/client.h"
#include "lib/link/message.h"
#include "lib/link/peers.h"
#include "lib/link/report.h"

#define REPORT_INTERVAL_MS 20 /* between two reports at least */
#define LOOKUP_INTERVAL_MS 20 /* and between two rounds of lookups */

struct conversation;

struct conversation_handlers {
	/* Where the selection of this node stands. */
	struct selection_version (*version)(void *context);
	/* Carries a change out. -ESTALE when it does not build on what is there. */
	int (*change)(void *context, const struct selection_change *change, struct error *error);
	/* Fills in what is not attached. */
	int (*report)(void *context, struct report *report);
	/* There is a new connection, and all that was sent on the one before is void. */
	void (*connected)(void *context);
	/* The next lookup to send; false when there is none. */
	bool (*lookup)(void *context, struct lookup *ret_lookup);
	/* Whose addresses are: an array for peer_decode(). */
	void (*peers)(void *context, const cJSON *peers);
};

/* Borrows `node` and `version`. */
int conversation_new(struct net_context *net, const struct link_client_settings *settings,
		     const char *node, const char *version,
		     const struct conversation_handlers *handlers, void *context,
		     struct conversation **ret_conversation, struct error *error);

/* Returns NULL; the memory goes as the loop runs on. */
struct conversation *conversation_free(struct conversation *conversation);

/* There is something to report: sent at once, or REPORT_INTERVAL_MS after the last one. */
void conversation_report_soon(struct conversation *conversation);

/* There are addresses to ask for, or to forget. */
void conversation_lookup_soon(struct conversation *conversation);

/* Sends a message (takes it). False when it could not be: there is no connection, or no memory. */
bool conversation_send(struct conversation *conversation, cJSON *message);

bool conversation_is_connected(const struct conversation *conversation);

/* Connections that ended or could not be made, so far. */
uint64_t conversation_losses(const struct conversation *conversation);

#endif
