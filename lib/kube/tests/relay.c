// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/tests/relay.h"

#include <stdlib.h>
#include <string.h>

/* Two ends, and what is read at one is written at the other. */
struct relay_pair {
	uv_tcp_t ends[2]; /* the client's, the server's */
	uv_connect_t connect;
	unsigned int open; /* ends that are not closed yet */
	bool is_frozen;
	LIST_ENTRY(relay_pair) entry;
};

struct write {
	uv_write_t request;
	char data[];
};

static void on_closed(uv_handle_t *handle)
{
	struct relay_pair *pair = handle->data;

	if (--pair->open == 0)
		free(pair);
}

static void end_pair(struct relay_pair *pair)
{
	if (uv_is_closing((uv_handle_t *)&pair->ends[0]))
		return;
	LIST_REMOVE(pair, entry);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&pair->ends[i], on_closed);
}

static void on_written(uv_write_t *request, int status)
{
	(void)status; /* an end that is gone is seen where it is read */
	free(request->data);
}

static void pass_on(uv_tcp_t *end, const char *data, size_t length)
{
	struct write *write = malloc(sizeof(*write) + length);
	uv_buf_t buffer;

	if (!write)
		abort();
	memcpy(write->data, data, length);
	write->request.data = write;
	buffer = uv_buf_init(write->data, (unsigned int)length);
	if (uv_write(&write->request, (uv_stream_t *)end, &buffer, 1, on_written) < 0)
		free(write);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	*buffer = uv_buf_init(malloc(suggested), (unsigned int)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct relay_pair *pair = stream->data;
	uv_tcp_t *other = (uv_tcp_t *)stream == &pair->ends[0] ? &pair->ends[1] : &pair->ends[0];

	if (length > 0 && !pair->is_frozen)
		pass_on(other, buffer->base, (size_t)length);
	free(buffer->base);
	if (length < 0)
		end_pair(pair);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct relay_pair *pair = connect->data;

	if (status == UV_ECANCELED)
		return;
	if (status < 0) {
		end_pair(pair);
		return;
	}
	for (int i = 0; i < 2; i++)
		uv_read_start((uv_stream_t *)&pair->ends[i], on_allocate, on_read);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct relay_pair *pair = calloc(1, sizeof(*pair));
	struct relay *relay = listener->data;
	struct sockaddr_in address;

	if (status < 0 || !pair)
		abort();
	for (int i = 0; i < 2; i++) {
		uv_tcp_init(listener->loop, &pair->ends[i]);
		uv_tcp_nodelay(&pair->ends[i], 1);
		pair->ends[i].data = pair;
	}
	pair->open = 2;
	pair->connect.data = pair;
	relay->connections_made++;
	LIST_INSERT_HEAD(&relay->pairs, pair, entry);
	uv_accept(listener, (uv_stream_t *)&pair->ends[0]);
	uv_ip4_addr("127.0.0.1", relay->server_port, &address);
	uv_tcp_connect(&pair->connect, &pair->ends[1], (struct sockaddr *)&address, on_connected);
}

void relay_start(struct relay *relay, uv_loop_t *loop, int server_port)
{
	struct sockaddr_in address;
	int length = sizeof(address);

	*relay = (struct relay){.server_port = server_port};
	LIST_INIT(&relay->pairs);
	uv_ip4_addr("127.0.0.1", 0, &address);
	uv_tcp_init(loop, &relay->listener);
	relay->listener.data = relay;
	if (uv_tcp_bind(&relay->listener, (struct sockaddr *)&address, 0) < 0 ||
	    uv_listen((uv_stream_t *)&relay->listener, 16, on_connection) < 0 ||
	    uv_tcp_getsockname(&relay->listener, (struct sockaddr *)&address, &length) < 0)
		abort();
	relay->port = ntohs(address.sin_port);
}

void relay_freeze(struct relay *relay)
{
	struct relay_pair *pair;

	LIST_FOREACH(pair, &relay->pairs, entry)
	pair->is_frozen = true;
}

void relay_stop(struct relay *relay)
{
	while (!LIST_EMPTY(&relay->pairs))
		end_pair(LIST_FIRST(&relay->pairs));
	uv_close((uv_handle_t *)&relay->listener, NULL);
}
