// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/curl_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

/* A socket of curl's that the loop polls. */
struct socket_poll {
	uv_poll_t poll;
	curl_socket_t socket;
	struct curl_loop *curl_loop;
	LIST_ENTRY(socket_poll) entry;
};

struct curl_loop {
	uv_loop_t *uv;
	uv_timer_t timer;
	uv_idle_t at_once; /* instead of the timer, where curl wants to work again now */
	int handles;	   /* open ones; the memory goes with the last */
	CURLM *multi;
	curl_loop_handler worked;
	void *context;
	LIST_HEAD(, socket_poll) polls;
};

/* Lets curl work on a socket, or on what is due when `socket` is CURL_SOCKET_TIMEOUT. */
static void work(struct curl_loop *curl_loop, curl_socket_t socket, int flags)
{
	int running;

	/* A failing transfer is told through its own message; the multi handle itself is sound. */
	(void)curl_multi_socket_action(curl_loop->multi, socket, flags, &running);
	curl_loop->worked(curl_loop->context);
}

static void on_timer(uv_timer_t *timer)
{
	work(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_at_once(uv_idle_t *at_once)
{
	uv_idle_stop(at_once);
	work(at_once->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	const struct socket_poll *socket_poll = poll->data;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	work(socket_poll->curl_loop, socket_poll->socket, flags);
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void socket_poll_close(struct socket_poll *socket_poll)
{
	LIST_REMOVE(socket_poll, entry);
	uv_close((uv_handle_t *)&socket_poll->poll, on_poll_closed);
}

static struct socket_poll *socket_poll_new(struct curl_loop *curl_loop, curl_socket_t socket)
{
	struct socket_poll *socket_poll = calloc(1, sizeof(*socket_poll));

	if (!socket_poll)
		return NULL;
	if (uv_poll_init_socket(curl_loop->uv, &socket_poll->poll, socket) < 0) {
		free(socket_poll);
		return NULL;
	}
	socket_poll->poll.data = socket_poll;
	socket_poll->socket = socket;
	socket_poll->curl_loop = curl_loop;
	LIST_INSERT_HEAD(&curl_loop->polls, socket_poll, entry);
	curl_multi_assign(curl_loop->multi, socket, socket_poll);
	return socket_poll;
}

/* CURLMOPT_SOCKETFUNCTION */
static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *assigned)
{
	struct socket_poll *socket_poll = assigned;
	int events = 0;

	(void)easy; /* all transfers are polled alike */
	if (what == CURL_POLL_REMOVE) {
		if (socket_poll)
			socket_poll_close(socket_poll);
		curl_multi_assign(((struct curl_loop *)context)->multi, socket, NULL);
		return 0;
	}
	if (!socket_poll)
		socket_poll = socket_poll_new(context, socket);
	if (!socket_poll)
		return 0; /* -1 would end the multi handle for good; this transfer times out */
	events |= what & CURL_POLL_IN ? UV_READABLE : 0;
	events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
	uv_poll_start(&socket_poll->poll, events, on_poll);
	return 0;
}

/*
 * CURLMOPT_TIMERFUNCTION. A timer of 0 ms that is started anew from its own callback is called
 * again and again by libuv before anybody else has a turn, so that a busy watch, of which curl
 * reads some and then wants to go on, would hold up all of the loop.
 */
static int on_timeout_changed(CURLM *multi, long milliseconds, void *context)
{
	struct curl_loop *curl_loop = context;

	(void)multi; /* there is one */
	uv_timer_stop(&curl_loop->timer);
	uv_idle_stop(&curl_loop->at_once);
	if (milliseconds < 0)
		return 0;
	if (milliseconds == 0)
		return uv_idle_start(&curl_loop->at_once, on_at_once);
	uv_update_time(curl_loop->uv);
	uv_timer_start(&curl_loop->timer, on_timer, (uint64_t)milliseconds, 0);
	return 0;
}

static void multi_configure(struct curl_loop *curl_loop)
{
	CURLM *multi = curl_loop->multi;

	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl_loop);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout_changed);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl_loop);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
}

int curl_loop_new(uv_loop_t *uv, curl_loop_handler worked, void *context,
		  struct curl_loop **ret_curl_loop, struct error *error)
{
	struct curl_loop *curl_loop = calloc(1, sizeof(*curl_loop));
	CURLM *multi = curl_multi_init();

	if (!curl_loop || !multi) {
		free(curl_loop);
		curl_multi_cleanup(multi);
		return error_set_errno(error, ENOMEM, "HTTP client");
	}
	*curl_loop =
		(struct curl_loop){.uv = uv, .multi = multi, .worked = worked, .context = context};
	LIST_INIT(&curl_loop->polls);
	uv_timer_init(uv, &curl_loop->timer);
	uv_idle_init(uv, &curl_loop->at_once);
	curl_loop->timer.data = curl_loop->at_once.data = curl_loop;
	curl_loop->handles = 2;
	multi_configure(curl_loop);
	*ret_curl_loop = curl_loop;
	return 0;
}

CURLM *curl_loop_multi(const struct curl_loop *curl_loop)
{
	return curl_loop->multi;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct curl_loop *curl_loop = handle->data;

	if (--curl_loop->handles == 0)
		free(curl_loop);
}

struct curl_loop *curl_loop_free(struct curl_loop *curl_loop)
{
	if (!curl_loop)
		return NULL;
	curl_multi_cleanup(curl_loop->multi);
	while (!LIST_EMPTY(&curl_loop->polls))
		socket_poll_close(LIST_FIRST(&curl_loop->polls));
	uv_close((uv_handle_t *)&curl_loop->timer, on_handle_closed);
	uv_close((uv_handle_t *)&curl_loop->at_once, on_handle_closed);
	return NULL;
}
