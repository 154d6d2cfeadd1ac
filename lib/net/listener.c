// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"

#define BACKLOG	       1024
#define ACCEPT_AT_ONCE 64  /* then the rest of the loop has its turn */
#define PAUSE_MS       200 /* after accept() failed for want of descriptors or memory */

struct net_listener {
	uv_poll_t poll;
	uv_timer_t pause;
	int socket;
	int handles; /* open ones; the memory goes with the last */
	net_arrived *arrived;
	void *context;
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_size(const union address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

static int address_parse(const char *text, int port, union address *ret_address)
{
	if (!*text)
		text = "::";
	if (!uv_ip6_addr(text, port, &ret_address->v6))
		return 0;
	return uv_ip4_addr(text, port, &ret_address->v4);
}

static int address_port(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port
							: address->v4.sin_port);
}

static void address_format(const union address *address, char text[NET_ADDRESS_SIZE])
{
	char host[INET6_ADDRSTRLEN] = "?";
	int port = address_port(address);

	if (address->any.sa_family != AF_INET6) {
		uv_ip4_name(&address->v4, host, sizeof(host));
		snprintf(text, NET_ADDRESS_SIZE, "%s:%d", host, port);
	} else if (IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) {
		inet_ntop(AF_INET, &address->v6.sin6_addr.s6_addr[12], host, sizeof(host));
		snprintf(text, NET_ADDRESS_SIZE, "%s:%d", host, port);
	} else {
		uv_ip6_name(&address->v6, host, sizeof(host));
		snprintf(text, NET_ADDRESS_SIZE, "[%s]:%d", host, port);
	}
}

static int bind_and_listen(int socket, const union address *address)
{
	int on = 1, off = 0;

	if (setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (address->any.sa_family == AF_INET6 &&
	    setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return -errno;
	if (bind(socket, &address->any, address_size(address)) < 0)
		return -errno;
	return listen(socket, BACKLOG) < 0 ? -errno : 0;
}

/* Returns the socket or a negative errno. */
static int socket_open(const union address *address)
{
	cleanup_close int descriptor =
		socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result = descriptor < 0 ? -errno : bind_and_listen(descriptor, address);

	return result < 0 ? result : take_descriptor(descriptor);
}

/* For all addresses, a machine without IPv6 has those of IPv4. */
static int socket_open_any(const char *text, const union address *address, int port)
{
	union address v4 = {.v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}};
	int result = socket_open(address);

	if (!*text && (result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL))
		result = socket_open(&v4);
	return result;
}

static void listener_accept(uv_poll_t *poll, int status, int events);

static void pause_over(uv_timer_t *pause)
{
	struct net_listener *listener = pause->data;

	uv_poll_start(&listener->poll, UV_READABLE, listener_accept);
}

/* Out of descriptors or memory: those who wait go on waiting, and the loop does not spin. */
static void listener_pause(struct net_listener *listener, int number)
{
	log_warn("accept a connection: %s; trying again in %d ms", strerror(number), PAUSE_MS);
	uv_poll_stop(&listener->poll);
	uv_timer_start(&listener->pause, pause_over, PAUSE_MS, 0);
}

static bool error_is_of_the_peer(int number)
{
	return number == EAGAIN || number == EINTR || number == ECONNABORTED || number == EPROTO;
}

static bool listener_accept_one(struct net_listener *listener)
{
	union address peer = {0};
	socklen_t size = sizeof(peer);
	char text[NET_ADDRESS_SIZE];
	int socket = accept4(listener->socket, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (socket < 0) {
		if (!error_is_of_the_peer(errno))
			listener_pause(listener, errno);
		return false;
	}
	address_format(&peer, text);
	listener->arrived(listener->context, socket, text);
	return true;
}

static void listener_accept(uv_poll_t *poll, int status, int events)
{
	struct net_listener *listener = poll->data;

	(void)status; /* an error of the socket shows again in accept4() */
	(void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE && !uv_is_closing((uv_handle_t *)poll); i++)
		if (!listener_accept_one(listener))
			return;
}

static void handle_closed(uv_handle_t *handle)
{
	struct net_listener *listener = handle->data;

	if (--listener->handles == 0)
		free(listener);
}

static int listener_start(struct net_listener *listener, uv_loop_t *loop)
{
	int result = uv_poll_init(loop, &listener->poll, listener->socket);

	if (result < 0)
		return result;
	uv_timer_init(loop, &listener->pause);
	listener->poll.data = listener->pause.data = listener;
	listener->handles = 2;
	return uv_poll_start(&listener->poll, UV_READABLE, listener_accept);
}

int net_listener_new(uv_loop_t *loop, const char *address, int port, net_arrived *arrived,
		     void *context, struct net_listener **ret_listener, struct error *error)
{
	cleanup_close int socket = -1;
	struct net_listener *listener;
	union address local = {0};
	int result;

	if (address_parse(address, port, &local) < 0)
		return error_set(error, EINVAL, "listen on \"%s\": not an IP address", address);
	socket = socket_open_any(address, &local, port);
	if (socket < 0)
		return error_set_errno(error, -socket, "listen on %s port %d",
				       *address ? address : "all addresses,", port);
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return error_set_errno(error, ENOMEM, "listen on port %d", port);
	listener->socket = socket;
	listener->arrived = arrived;
	listener->context = context;
	result = listener_start(listener, loop);
	if (result < 0) {
		free(listener);
		return error_set_errno(error, -result, "listen on port %d", port);
	}
	(void)take_descriptor(socket);
	*ret_listener = listener;
	return 0;
}

struct net_listener *net_listener_free(struct net_listener *listener)
{
	if (!listener)
		return NULL;
	uv_poll_stop(&listener->poll);
	close(listener->socket);
	uv_close((uv_handle_t *)&listener->poll, handle_closed);
	uv_close((uv_handle_t *)&listener->pause, handle_closed);
	return NULL;
}

int net_listener_port(const struct net_listener *listener)
{
	union address local = {0};
	socklen_t size = sizeof(local);

	return getsockname(listener->socket, &local.any, &size) < 0 ? -errno : address_port(&local);
}
