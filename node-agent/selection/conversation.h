/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The agent's side of the conversation with the operator: says hello, hands changes of the
 * selection on, asks anew when one does not fit, and reports, often enough and not more.
 */
#ifndef SKEP_NODE_AGENT_SELECTION_CONVERSATION_H
#define SKEP_NODE_AGENT_SELECTION_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/link/client.h"
#include "lib/link/message.h"
#include "lib/link/report.h"

#define REPORT_INTERVAL_MS 20 /* between two reports at least */

struct conversation;

struct conversation_handlers {
	/* Where the selection of this node stands. */
	struct selection_version (*version)(void *context);
	/* Carries a change out. -ESTALE when it does not build on what is there. */
	int (*change)(void *context, const struct selection_change *change, struct error *error);
	/* Fills in what is not attached. */
	int (*report)(void *context, struct report *report);
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

bool conversation_is_connected(const struct conversation *conversation);

/* Connections that ended or could not be made, so far. */
uint64_t conversation_losses(const struct conversation *conversation);

#endif
