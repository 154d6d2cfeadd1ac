// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/tests/hostile_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRIP_MS	     20
#define STRING_LIMIT 128

struct hostile_connection {
	uv_tcp_t tcp;
	struct hostile_server *server;
	SSL *tls;
	struct text received;
	struct text dripping; /* what is still to come, byte by byte */
	size_t dripped;
	struct hostile_fault fault; /* of the answer under way */
	size_t sent;		    /* bytes of the answer */
	bool is_over;		    /* nothing more is to be sent */
	bool is_watch;
	size_t told; /* changes of the truth */
	LIST_ENTRY(hostile_connection) entry;
};

static void on_closed(uv_handle_t *handle)
{
	struct hostile_connection *connection = handle->data;

	SSL_free(connection->tls);
	text_free(&connection->received);
	text_free(&connection->dripping);
	free(connection);
}

static void end(struct hostile_connection *connection, bool resets)
{
	connection->is_over = true;
	if (uv_is_closing((uv_handle_t *)&connection->tcp))
		return;
	LIST_REMOVE(connection, entry);
	if (!resets || uv_tcp_close_reset(&connection->tcp, on_closed) < 0)
		uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

/* Sending: answer, then fault, then TLS, then the wire. */

struct write {
	uv_write_t request;
	char data[];
};

static void on_written(uv_write_t *request, int status)
{
	(void)status; /* a connection that is gone is seen where it is read */
	free(request->data);
}

static void write_wire(struct hostile_connection *connection, const char *data, size_t length)
{
	struct write *write = malloc(sizeof(*write) + length);
	uv_buf_t buffer;

	if (!write)
		abort();
	memcpy(write->data, data, length);
	write->request.data = write;
	buffer = uv_buf_init(write->data, (unsigned int)length);
	if (uv_write(&write->request, (uv_stream_t *)&connection->tcp, &buffer, 1, on_written) < 0)
		free(write);
}

/* Sends what TLS has to say. */
static void flush_tls(struct hostile_connection *connection)
{
	BIO *out = SSL_get_wbio(connection->tls);
	char block[16384];
	int length;

	while ((length = BIO_read(out, block, sizeof(block))) > 0)
		write_wire(connection, block, (size_t)length);
}

static void send_plain(struct hostile_connection *connection, const char *data, size_t length)
{
	connection->sent += length;
	if (!connection->tls) {
		write_wire(connection, data, length);
		return;
	}
	if (length && SSL_write(connection->tls, data, (int)length) <= 0)
		abort();
	flush_tls(connection);
}

static bool stops_midway(enum hostile_fault_kind kind)
{
	return kind == FAULT_RESET || kind == FAULT_END || kind == FAULT_FREEZE ||
	       kind == FAULT_DRIP;
}

/* The answer has come to the byte where it goes wrong; `rest` is what does not come. */
static void go_wrong(struct hostile_connection *connection, const char *rest, size_t length)
{
	switch (connection->fault.kind) {
	case FAULT_RESET:
		end(connection, true);
		break;
	case FAULT_DRIP:
		text_append(&connection->dripping, rest, length);
		break;
	case FAULT_END:
		end(connection, false);
		break;
	default:
		connection->is_over = true;
	}
}

static void send_answer(struct hostile_connection *connection, const char *data, size_t length)
{
	const struct hostile_fault *fault = &connection->fault;
	size_t allowed = length;

	if (connection->is_over)
		return;
	if (stops_midway(fault->kind) && connection->sent + length > fault->at)
		allowed = fault->at > connection->sent ? fault->at - connection->sent : 0;
	send_plain(connection, data, allowed);
	if (allowed < length)
		go_wrong(connection, data + allowed, length - allowed);
}

static void drip(struct hostile_connection *connection)
{
	if (connection->dripped < connection->dripping.length)
		send_plain(connection, connection->dripping.data + connection->dripped++, 1);
}

static void on_drip(uv_timer_t *timer)
{
	struct hostile_server *server = timer->data;
	struct hostile_connection *connection;

	LIST_FOREACH(connection, &server->connections, entry)
	drip(connection);
}

static void send_text(struct hostile_connection *connection, const struct text *text)
{
	send_answer(connection, text->data, text->length);
}

static void send_whole(struct hostile_connection *connection, int status, const char *headers,
		       const char *body, size_t length)
{
	struct text text = TEXT_EMPTY;

	text_append_format(&text, "HTTP/1.1 %d Some Reason\r\n%sContent-Length: %zu\r\n\r\n",
			   status, headers ? headers : "", length);
	text_append(&text, body, length);
	send_text(connection, &text);
	text_free(&text);
}

static void send_chunk(struct hostile_connection *connection, const char *data, size_t length)
{
	struct text text = TEXT_EMPTY;

	text_append_format(&text, "%zx\r\n", length);
	text_append(&text, data, length);
	text_append_string(&text, "\r\n");
	send_text(connection, &text);
	text_free(&text);
}

/* Reading the request. */

/* The value of a parameter of the request's first line; "" where there is none. */
static void read_parameter(const char *request, const char *name, char value[STRING_LIMIT])
{
	size_t line = strcspn(request, "\r");
	char pattern[STRING_LIMIT];
	const char *found;

	snprintf(pattern, sizeof(pattern), "%s=", name);
	found = strstr(request, pattern);
	value[0] = '\0';
	if (!found || found > request + line)
		return;
	found += strlen(pattern);
	snprintf(value, STRING_LIMIT, "%.*s", (int)strcspn(found, "& "), found);
}

/* Lists. */

static void write_page(struct text *page, const struct truth *truth, size_t first, size_t limit,
		       bool names_itself)
{
	char version[TRUTH_VERSION_SIZE];
	size_t index = first;
	const char *separator = "";

	text_append_string(page, "{\"kind\":\"List\",\"items\":[");
	for (size_t written = 0; index < truth->count && written < limit; index++) {
		if (!truth->objects[index].exists)
			continue;
		text_append_string(page, separator);
		truth_write_object(page, index, &truth->objects[index]);
		separator = ",";
		written++;
	}
	truth_format_version(version, truth_version(truth));
	text_append_format(page, "],\"metadata\":{\"resourceVersion\":\"%s\"", version);
	if (names_itself)
		text_append_format(page, ",\"continue\":\"%zu\"", first);
	else if (index < truth->count)
		text_append_format(page, ",\"continue\":\"%zu\"", index);
	text_append_string(page, "}}");
}

static void answer_list(struct hostile_connection *connection, const char *request)
{
	struct text page = TEXT_EMPTY;
	char first[STRING_LIMIT], limit[STRING_LIMIT];

	connection->server->lists++;
	read_parameter(request, "continue", first);
	read_parameter(request, "limit", limit);
	write_page(&page, &connection->server->truth, strtoul(first, NULL, 10),
		   strtoul(limit, NULL, 10), connection->fault.kind == FAULT_SAME_PAGE);
	send_whole(connection, 200, NULL, page.data, page.length);
	text_free(&page);
}

/* Watches. */

static void send_change(struct hostile_connection *connection, size_t number)
{
	struct text line = TEXT_EMPTY;

	truth_write_change(&line, &connection->server->truth, number);
	send_chunk(connection, line.data, line.length);
	text_free(&line);
}

static void send_half(struct hostile_connection *connection, size_t number)
{
	struct text line = TEXT_EMPTY;

	truth_write_change(&line, &connection->server->truth, number);
	line.data[line.length / 2] = '\n';
	send_chunk(connection, line.data, line.length / 2 + 1);
	text_free(&line);
}

/* Sends the next change or changes of a watch. */
static void tell_next(struct hostile_connection *connection)
{
	size_t number = connection->told++;

	switch (connection->fault.kind) {
	case FAULT_TRUNCATE:
		send_half(connection, number);
		connection->fault.kind = FAULT_NONE;
		break;
	case FAULT_DUPLICATE:
		send_change(connection, number);
		send_change(connection, number);
		break;
	case FAULT_REORDER:
		if (connection->told == connection->server->truth.change_count)
			break; /* that was the last one: it is left out, and the watch ends */
		send_change(connection, number + 1);
		send_change(connection, number);
		break;
	default:
		send_change(connection, number);
	}
	if (connection->fault.kind == FAULT_REORDER)
		end(connection, false);
}

static void tell(struct hostile_connection *connection)
{
	const struct truth *truth = &connection->server->truth;

	while (connection->is_watch && !connection->is_over &&
	       connection->told < truth->change_count)
		tell_next(connection);
}

static void send_error_event(struct hostile_connection *connection)
{
	struct text line = TEXT_EMPTY;

	text_append_format(&line, "{\"type\":\"ERROR\",\"object\":%s}\n", connection->fault.body);
	send_chunk(connection, line.data, line.length);
	text_free(&line);
	connection->is_over = true;
}

static void answer_watch(struct hostile_connection *connection, const char *request)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char gone[] = "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}";
	struct hostile_server *server = connection->server;
	char version[STRING_LIMIT];
	long from;

	server->watches++;
	read_parameter(request, "resourceVersion", version);
	from = truth_find_version(&server->truth, version);
	if (from < 0 || (size_t)from < server->truth.compacted) {
		send_whole(connection, 410, NULL, gone, strlen(gone));
		return;
	}
	connection->is_watch = true;
	connection->told = (size_t)from;
	send_answer(connection, head, strlen(head));
	if (connection->fault.kind == FAULT_ERROR_EVENT)
		send_error_event(connection);
	tell(connection);
}

/* Requests. */

static enum hostile_place place_of(const char *request)
{
	char value[STRING_LIMIT];

	read_parameter(request, "watch", value);
	if (*value)
		return PLACE_WATCH;
	read_parameter(request, "continue", value);
	return *value ? PLACE_LATER_PAGE : PLACE_LIST;
}

/* The fault that this answer is to have. */
static struct hostile_fault take_fault(struct hostile_server *server, enum hostile_place place)
{
	if (!server->fault.times || server->fault.place != place)
		return (struct hostile_fault){0};
	server->fault.times--;
	server->faults_met++;
	return server->fault;
}

/* The serial number of the certificate that the client has shown, or 0. */
static long serial_of(const struct hostile_connection *connection)
{
	X509 *certificate = connection->tls ? SSL_get1_peer_certificate(connection->tls) : NULL;
	long serial = certificate ? ASN1_INTEGER_get(X509_get0_serialNumber(certificate)) : 0;

	X509_free(certificate);
	return serial;
}

static bool is_welcome(const struct hostile_connection *connection, const char *request)
{
	const struct hostile_server *server = connection->server;
	char header[STRING_LIMIT];

	if (server->client_serial && serial_of(connection) != server->client_serial)
		return false;
	if (!server->token)
		return true;
	snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", server->token);
	return strstr(request, header);
}

static void answer(struct hostile_connection *connection, const char *request)
{
	static const char refusal[] = "{\"kind\":\"Status\",\"code\":401}";
	enum hostile_place place = place_of(request);

	connection->sent = 0;
	connection->fault = take_fault(connection->server, place);
	if (!is_welcome(connection, request)) {
		connection->server->refused++;
		send_whole(connection, 401, NULL, refusal, strlen(refusal));
	} else if (connection->fault.kind == FAULT_STATUS) {
		const char *body = connection->fault.body ? connection->fault.body : "{}";

		send_whole(connection, connection->fault.status, connection->fault.headers, body,
			   strlen(body));
	} else if (place == PLACE_WATCH) {
		answer_watch(connection, request);
	} else {
		answer_list(connection, request);
	}
}

static void take(struct hostile_connection *connection, const char *data, size_t length)
{
	struct text *received = &connection->received;

	text_append(received, data, length);
	if (connection->is_over || !strstr(received->data, "\r\n\r\n"))
		return;
	answer(connection, received->data);
	text_clear(received);
}

static void take_encrypted(struct hostile_connection *connection, const char *data, size_t length)
{
	char block[16384];
	int count;

	BIO_write(SSL_get_rbio(connection->tls), data, (int)length);
	while (!uv_is_closing((uv_handle_t *)&connection->tcp) &&
	       (count = SSL_read(connection->tls, block, sizeof(block))) > 0)
		take(connection, block, (size_t)count);
	if (!uv_is_closing((uv_handle_t *)&connection->tcp))
		flush_tls(connection);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	*buffer = uv_buf_init(malloc(suggested), (unsigned int)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct hostile_connection *connection = stream->data;

	if (length < 0)
		end(connection, false);
	else if (connection->tls)
		take_encrypted(connection, buffer->base, (size_t)length);
	else
		take(connection, buffer->base, (size_t)length);
	free(buffer->base);
}

static void start_tls(struct hostile_connection *connection)
{
	connection->tls = SSL_new(connection->server->tls);
	if (!connection->tls)
		abort();
	SSL_set_bio(connection->tls, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(connection->tls);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct hostile_connection *connection = calloc(1, sizeof(*connection));
	struct hostile_server *server = listener->data;

	if (status < 0 || !connection)
		abort();
	uv_tcp_init(listener->loop, &connection->tcp);
	connection->tcp.data = connection;
	connection->server = server;
	server->connections_made++;
	LIST_INSERT_HEAD(&server->connections, connection, entry);
	uv_accept(listener, (uv_stream_t *)&connection->tcp);
	uv_tcp_nodelay(&connection->tcp, 1);
	if (server->tls)
		start_tls(connection);
	uv_read_start((uv_stream_t *)&connection->tcp, on_allocate, on_read);
}

static int port_of(const uv_tcp_t *listener)
{
	struct sockaddr_in address;
	int length = sizeof(address);

	uv_tcp_getsockname(listener, (struct sockaddr *)&address, &length);
	return ntohs(address.sin_port);
}

void hostile_server_return(struct hostile_server *server)
{
	struct sockaddr_in address;

	uv_ip4_addr("127.0.0.1", server->port, &address);
	uv_tcp_init(server->loop, &server->listener);
	server->listener.data = server;
	if (uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0) < 0 ||
	    uv_listen((uv_stream_t *)&server->listener, 64, on_connection) < 0)
		abort();
	server->port = port_of(&server->listener);
}

void hostile_server_start(struct hostile_server *server, uv_loop_t *loop, size_t objects)
{
	memset(server, 0, sizeof(*server));
	server->loop = loop;
	LIST_INIT(&server->connections);
	truth_init(&server->truth, objects);
	uv_timer_init(loop, &server->dripping);
	server->dripping.data = server;
	uv_timer_start(&server->dripping, on_drip, DRIP_MS, DRIP_MS);
	hostile_server_return(server);
}

void hostile_server_hang_up(struct hostile_server *server)
{
	while (!LIST_EMPTY(&server->connections))
		end(LIST_FIRST(&server->connections), false);
}

void hostile_server_end_watches(struct hostile_server *server)
{
	static const char end_of_chunks[] = "0\r\n\r\n";
	struct hostile_connection *connection;

	LIST_FOREACH(connection, &server->connections, entry)
	{
		if (connection->is_watch)
			send_answer(connection, end_of_chunks, strlen(end_of_chunks));
		connection->is_watch = false;
	}
}

void hostile_server_go(struct hostile_server *server)
{
	hostile_server_hang_up(server);
	uv_close((uv_handle_t *)&server->listener, NULL);
}

void hostile_server_stop(struct hostile_server *server)
{
	hostile_server_go(server);
	uv_close((uv_handle_t *)&server->dripping, NULL);
	SSL_CTX_free(server->tls);
	truth_free(&server->truth);
}

/* Whoever signed it; what it says is looked at in each request. */
static int accept_certificate(int is_valid, X509_STORE_CTX *store)
{
	(void)is_valid, (void)store;
	return 1;
}

void hostile_server_use_tls(struct hostile_server *server, const char *file)
{
	SSL_CTX_free(server->tls);
	server->tls = SSL_CTX_new(TLS_server_method());
	if (!server->tls || SSL_CTX_use_certificate_chain_file(server->tls, file) != 1 ||
	    SSL_CTX_use_PrivateKey_file(server->tls, file, SSL_FILETYPE_PEM) != 1)
		abort();
	SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER, accept_certificate);
}

void hostile_server_tell(struct hostile_server *server)
{
	struct hostile_connection *connection, *next;

	for (connection = LIST_FIRST(&server->connections); connection; connection = next) {
		next = LIST_NEXT(connection, entry);
		tell(connection);
	}
}
