// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct net_lookup {
	uv_getaddrinfo_t request;
	unsigned int turn;
	net_found *found; /* NULL once it was given up */
	void *context;
};

static const struct addrinfo *result_choose(const struct addrinfo *results, unsigned int turn)
{
	const struct addrinfo *result;
	unsigned int count = 0;

	for (result = results; result; result = result->ai_next)
		count++;
	result = results;
	for (turn = count ? turn % count : 0; turn; turn--)
		result = result->ai_next;
	return result;
}

static int result_format(const struct addrinfo *result, char *text, size_t size)
{
	if (!result)
		return UV_EAI_NONAME;
	if (result->ai_family == AF_INET6)
		return uv_ip6_name((const struct sockaddr_in6 *)result->ai_addr, text, size);
	return uv_ip4_name((const struct sockaddr_in *)result->ai_addr, text, size);
}

static void lookup_done(uv_getaddrinfo_t *request, int status, struct addrinfo *results)
{
	struct net_lookup *lookup = request->data;
	char text[INET6_ADDRSTRLEN] = "";

	if (status == 0)
		status = result_format(result_choose(results, lookup->turn), text, sizeof(text));
	uv_freeaddrinfo(results);
	if (lookup->found && status == 0)
		lookup->found(lookup->context, text, NULL);
	else if (lookup->found)
		lookup->found(lookup->context, NULL, uv_strerror(status));
	free(lookup);
}

int net_lookup_new(uv_loop_t *loop, const char *host, unsigned int turn, net_found *found,
		   void *context, struct net_lookup **ret_lookup, struct error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct net_lookup *lookup = calloc(1, sizeof(*lookup));
	int result;

	if (!lookup)
		return error_set_errno(error, ENOMEM, "look up %s", host);
	lookup->request.data = lookup;
	lookup->turn = turn;
	lookup->found = found;
	lookup->context = context;
	result = uv_getaddrinfo(loop, &lookup->request, lookup_done, host, NULL, &hints);
	if (result < 0) {
		free(lookup);
		return error_set(error, EINVAL, "look up %s: %s", host, uv_strerror(result));
	}
	*ret_lookup = lookup;
	return 0;
}

struct net_lookup *net_lookup_free(struct net_lookup *lookup)
{
	if (!lookup)
		return NULL;
	lookup->found = NULL;
	uv_cancel((uv_req_t *)&lookup->request);
	return NULL;
}

struct net_probe {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t request;
	int handles;
	net_probed *probed; /* NULL once it is over */
	void *context;
};

static void probe_handle_closed(uv_handle_t *handle)
{
	struct net_probe *probe = handle->data;

	if (--probe->handles == 0)
		free(probe);
}

static void probe_end(struct net_probe *probe, const char *why)
{
	net_probed *probed = probe->probed;
	void *context = probe->context;

	if (!probed)
		return;
	probe->probed = NULL;
	uv_close((uv_handle_t *)&probe->tcp, probe_handle_closed);
	uv_close((uv_handle_t *)&probe->timer, probe_handle_closed);
	probed(context, why);
}

static void probe_connected(uv_connect_t *request, int status)
{
	probe_end(request->data, status < 0 ? uv_strerror(status) : NULL);
}

static void probe_late(uv_timer_t *timer)
{
	probe_end(timer->data, uv_strerror(UV_ETIMEDOUT));
}

static int probe_connect(struct net_probe *probe, const char *address, int port)
{
	struct sockaddr_storage to = {0};

	if (uv_ip6_addr(address, port, (struct sockaddr_in6 *)&to) < 0 &&
	    uv_ip4_addr(address, port, (struct sockaddr_in *)&to) < 0)
		return UV_EINVAL;
	probe->request.data = probe;
	return uv_tcp_connect(&probe->request, &probe->tcp, (struct sockaddr *)&to,
			      probe_connected);
}

static void probe_ignore(void *context, const char *why)
{
	(void)context, (void)why;
}

int net_probe_new(uv_loop_t *loop, const char *address, int port, net_probed *probed, void *context,
		  struct net_probe **ret_probe, struct error *error)
{
	struct net_probe *probe = calloc(1, sizeof(*probe));
	int result;

	if (!probe)
		return error_set_errno(error, ENOMEM, "connect to %s", address);
	uv_tcp_init(loop, &probe->tcp);
	uv_timer_init(loop, &probe->timer);
	probe->tcp.data = probe->timer.data = probe;
	probe->handles = 2;
	probe->probed = probed;
	probe->context = context;
	uv_timer_start(&probe->timer, probe_late, NET_PROBE_MS, 0);
	result = probe_connect(probe, address, port);
	if (result < 0) {
		net_probe_free(probe);
		return error_set(error, EINVAL, "connect to %s port %d: %s", address, port,
				 uv_strerror(result));
	}
	*ret_probe = probe;
	return 0;
}

struct net_probe *net_probe_free(struct net_probe *probe)
{
	if (!probe)
		return NULL;
	if (probe->probed)
		probe->probed = probe_ignore;
	probe_end(probe, NULL);
	return NULL;
}
