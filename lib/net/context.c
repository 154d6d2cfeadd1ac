// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Starting libwebsockets on a loop that is not its own, and ending it without waiting: its memory
 * may go only when the loop has closed the last of its handles, so an idle handle looks for that
 * while the loop runs on.
 */
#include "lib/net/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libwebsockets.h>

#include "lib/base/log.h"

#define SERVICE_BUFFER	  8192 /* holds a whole request of a client, its token included */
#define HEADER_LIMIT	  8192 /* bytes of all headers of one request */
#define SPARE_DESCRIPTORS 8    /* what libwebsockets opens for itself, and then some */
#define NETWORK_SECONDS	  15   /* for one step of a handshake; servers look after their own time */

#define STALE_LIMIT 64

struct net_context {
	uv_loop_t *loop;
	struct lws_context *lws;
	uv_idle_t ending;
	uv_handle_t *stale[STALE_LIMIT]; /* the last ones, stopped, see poll_stop_if_stale() */
	size_t stale_count;
};

/* libwebsockets reports mishaps of single peers as errors; for us they are worth a warning. */
static void log_line(int level, const char *line)
{
	int length = (int)strcspn(line, "\r\n");

	if (!length)
		return;
	if (level & LLL_ERR)
		log_warn("libwebsockets: %.*s", length, line);
	else
		log_debug("libwebsockets: %.*s", length, line);
}

static struct lws_context *create(uv_loop_t *loop, unsigned int connections)
{
	void *loops[] = {loop};
	struct lws_context_creation_info info = {
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
			   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME,
		.foreign_loops = loops,
		.fd_limit_per_thread = connections ? connections + SPARE_DESCRIPTORS : 0,
		.pt_serv_buf_size = SERVICE_BUFFER,
		.max_http_header_data = HEADER_LIMIT,
		.timeout_secs = NETWORK_SECONDS,
		.port = CONTEXT_PORT_NO_LISTEN,
		.gid = -1,
		.uid = -1,
	};

	lws_set_log_level(LLL_ERR | LLL_WARN, log_line);
	return lws_create_context(&info);
}

int net_context_new(uv_loop_t *loop, unsigned int connections, struct net_context **ret_net,
		    struct error *error)
{
	struct net_context *net = calloc(1, sizeof(*net));

	if (!net)
		return error_set_errno(error, ENOMEM, "start libwebsockets");
	net->loop = loop;
	net->lws = create(loop, connections);
	if (!net->lws) {
		free(net);
		return error_set(error, EIO,
				 "start libwebsockets: it refuses; its libuv plugin "
				 "(package libwebsockets-evlib-uv) must be installed");
	}
	*ret_net = net;
	return 0;
}

struct handle_search {
	const void *owner;
	bool found;
};

/* libwebsockets keeps its context in the data pointer of each handle that it holds to the end. */
static void handle_is_owned(uv_handle_t *handle, void *context)
{
	struct handle_search *search = context;

	search->found |= handle->data == search->owner;
}

static void memory_free(uv_handle_t *ending)
{
	free(ending->data);
}

static void poll_memory_free(uv_handle_t *handle)
{
	free(handle);
}

/* Closes what was stale and what libwebsockets, gone by now, has not closed itself. */
static void poll_close_if_left(uv_handle_t *handle, void *context)
{
	const struct net_context *net = context;

	for (size_t i = 0; i < STALE_LIMIT; i++)
		if (net->stale[i] == handle && handle->type == UV_POLL && !uv_is_closing(handle))
			uv_close(handle, poll_memory_free);
}

static void ending_look(uv_idle_t *ending)
{
	struct net_context *net = ending->data;
	struct handle_search search = {.owner = net->lws};

	uv_walk(net->loop, handle_is_owned, &search);
	if (search.found)
		return;
	/* Called a second time, when all handles are closed, it frees what is left. */
	lws_context_destroy(net->lws);
	uv_walk(net->loop, poll_close_if_left, net);
	uv_close((uv_handle_t *)ending, memory_free);
}

struct net_context *net_context_free(struct net_context *net)
{
	if (!net)
		return NULL;
	lws_context_destroy(net->lws);
	uv_idle_init(net->loop, &net->ending);
	net->ending.data = net;
	uv_idle_start(&net->ending, ending_look);
	return NULL;
}

uv_loop_t *net_context_loop(const struct net_context *net)
{
	return net->loop;
}

struct lws_context *net_context_lws(const struct net_context *net)
{
	return net->lws;
}

/*
 * A stale handle is known by its descriptor, which is closed. It is stopped, so that the loop
 * forgets the descriptor; libwebsockets may still come and close it, so its memory is left alone
 * until the end.
 */
static void poll_stop_if_stale(uv_handle_t *handle, void *context)
{
	struct net_context *net = context;
	uv_os_fd_t descriptor;

	if (handle->type != UV_POLL || uv_is_closing(handle) || !uv_is_active(handle) ||
	    uv_fileno(handle, &descriptor) < 0)
		return;
	if (fcntl(descriptor, F_GETFD) == 0 || errno != EBADF)
		return;
	uv_poll_stop((uv_poll_t *)handle);
	net->stale[net->stale_count++ % STALE_LIMIT] = handle;
}

void net_context_drop_stale_polls(struct net_context *net)
{
	uv_walk(net->loop, poll_stop_if_stale, net);
}

void net_connection_wake(struct lws *connection)
{
	lws_cancel_service_pt(connection);
}

void net_connection_kill(struct lws *connection)
{
	lws_set_timeout(connection, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
	net_connection_wake(connection);
}
