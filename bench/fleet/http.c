// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "bench/fleet/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define READ_SIZE 65536
#define BACKLOG	  1024

struct http_peer {
	uv_tcp_t tcp;
	struct http_door *door;
	struct text received;
	bool streaming;
	void *data;
	char buffer[READ_SIZE];
};

struct piece {
	uv_write_t write;
	struct http_peer *peer;
	struct text text;
};

static void on_closed(uv_handle_t *handle)
{
	struct http_peer *peer = handle->data;

	text_free(&peer->received);
	free(peer);
}

static void peer_close(struct http_peer *peer)
{
	if (uv_is_closing((uv_handle_t *)&peer->tcp))
		return;
	if (peer->streaming)
		peer->door->closed(peer->door->context, peer);
	uv_close((uv_handle_t *)&peer->tcp, on_closed);
}

static void on_written(uv_write_t *write, int status)
{
	struct piece *piece = (struct piece *)write;
	struct http_peer *peer = piece->peer;

	text_free(&piece->text);
	free(piece);
	if (status < 0)
		peer_close(peer);
	else if (peer->streaming && !uv_is_closing((uv_handle_t *)&peer->tcp))
		peer->door->ready(peer->door->context, peer);
}

/* Sends and empties the text. */
static void peer_send(struct http_peer *peer, struct text *text)
{
	struct piece *piece = calloc(1, sizeof(*piece));
	uv_buf_t buffer = uv_buf_init(text->data, (unsigned int)text->length);

	if (!piece || text->failed)
		abort();
	piece->peer = peer;
	piece->text = *text;
	*text = TEXT_EMPTY;
	if (uv_write(&piece->write, (uv_stream_t *)&peer->tcp, &buffer, 1, on_written) == 0)
		return;
	text_free(&piece->text);
	free(piece);
	peer_close(peer);
}

void http_answer(struct http_peer *peer, int status, struct text *body)
{
	struct text answer = TEXT_EMPTY;

	text_append_format(&answer,
			   "HTTP/1.1 %d Answer\r\nContent-Type: application/json\r\n"
			   "Content-Length: %zu\r\n\r\n",
			   status, body->length);
	if (body->length)
		text_append(&answer, body->data, body->length);
	text_free(body);
	peer_send(peer, &answer);
}

void http_stream(struct http_peer *peer)
{
	struct text head = TEXT_EMPTY;

	text_append_string(&head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				  "Transfer-Encoding: chunked\r\n\r\n");
	peer->streaming = true;
	peer_send(peer, &head);
}

void http_stream_send(struct http_peer *peer, struct text *piece)
{
	struct text chunk = TEXT_EMPTY;

	text_append_format(&chunk, "%zx\r\n", piece->length);
	text_append(&chunk, piece->data, piece->length);
	text_append_string(&chunk, "\r\n");
	text_free(piece);
	peer_send(peer, &chunk);
}

void http_stream_end(struct http_peer *peer)
{
	struct text end = TEXT_EMPTY;

	peer->streaming = false;
	text_append_string(&end, "0\r\n\r\n");
	peer_send(peer, &end);
}

size_t http_waiting(const struct http_peer *peer)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&peer->tcp);
}

void http_set_data(struct http_peer *peer, void *data)
{
	peer->data = data;
}

void *http_data(const struct http_peer *peer)
{
	return peer->data;
}

/* The value of Content-Length in a head that ends with NUL. */
static size_t body_length(const char *head)
{
	const char *line = strcasestr(head, "\r\nContent-Length:");

	return line ? strtoul(line + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

/* Splits "GET /path?query HTTP/1.1" in place and hands the request on. */
static void hand_on(struct http_peer *peer, char *head, const char *body)
{
	char *path = strchr(head, ' '), *end = path ? strchr(path + 1, ' ') : NULL, *query;
	struct http_request request = {.method = head, .query = "", .body = body};

	if (!end) {
		peer_close(peer);
		return;
	}
	*path++ = '\0';
	*end = '\0';
	query = strchr(path, '?');
	if (query) {
		*query = '\0';
		request.query = query + 1;
	}
	request.path = path;
	peer->door->requested(peer->door->context, peer, &request);
}

/* Takes one whole request out of what came. False: there is none yet. */
static bool take_request(struct http_peer *peer)
{
	struct text *received = &peer->received;
	char *end = received->length ? strstr(received->data, "\r\n\r\n") : NULL, *body, saved;
	size_t head, whole;

	if (!end)
		return false;
	*end = '\0';
	head = (size_t)(end - received->data) + 4;
	whole = head + body_length(received->data);
	*end = '\r';
	if (received->length < whole)
		return false;
	*end = '\0';
	body = received->data + head;
	saved = received->data[whole];
	received->data[whole] = '\0';
	hand_on(peer, received->data, body);
	received->data[whole] = saved;
	received->length -= whole;
	memmove(received->data, received->data + whole, received->length + 1);
	return true;
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct http_peer *peer = stream->data;

	if (length < 0) {
		peer_close(peer);
		return;
	}
	text_append(&peer->received, buffer->base, (size_t)length);
	while (!peer->streaming && take_request(peer))
		;
}

static void give_buffer(uv_handle_t *handle, size_t wish, uv_buf_t *buffer)
{
	struct http_peer *peer = handle->data;

	(void)wish; /* a whole number of reads does as well */
	*buffer = uv_buf_init(peer->buffer, READ_SIZE);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct http_door *door = listener->data;
	struct http_peer *peer = status < 0 ? NULL : calloc(1, sizeof(*peer));

	if (!peer)
		return;
	peer->door = door;
	uv_tcp_init(listener->loop, &peer->tcp);
	peer->tcp.data = peer;
	if (uv_accept(listener, (uv_stream_t *)&peer->tcp) < 0) {
		peer_close(peer);
		return;
	}
	uv_tcp_nodelay(&peer->tcp, 1);
	uv_read_start((uv_stream_t *)&peer->tcp, give_buffer, on_read);
}

int http_door_open(struct http_door *door, uv_loop_t *loop)
{
	struct sockaddr_storage address;
	int size = sizeof(address), result;

	uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&address);
	uv_tcp_init(loop, &door->tcp);
	door->tcp.data = door;
	result = uv_tcp_bind(&door->tcp, (struct sockaddr *)&address, 0);
	if (result == 0)
		result = uv_listen((uv_stream_t *)&door->tcp, BACKLOG, on_connection);
	if (result == 0)
		result = uv_tcp_getsockname(&door->tcp, (struct sockaddr *)&address, &size);
	return result < 0 ? result : ntohs(((struct sockaddr_in *)&address)->sin_port);
}
