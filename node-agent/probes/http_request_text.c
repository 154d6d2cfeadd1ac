// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_request_text.h"

#include <string.h>
#include <strings.h>

static struct http_span span_of(const char *data, size_t size)
{
	return (struct http_span){data, size};
}

/* What is behind the first `size` bytes. */
static struct http_span span_skip(struct http_span span, size_t size)
{
	return span_of(span.data + size, span.size - size);
}

/* How many bytes there are before the first `c`; all, where there is none. */
static size_t span_find(struct http_span span, char c)
{
	const char *found = span.size ? memchr(span.data, c, span.size) : NULL;

	return found ? (size_t)(found - span.data) : span.size;
}

static bool span_begins(struct http_span span, const char *word)
{
	return span.size >= strlen(word) && strncasecmp(span.data, word, strlen(word)) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct http_span span_trim(struct http_span span)
{
	while (span.size > 0 && is_blank(span.data[0]))
		span = span_skip(span, 1);
	while (span.size > 0 && is_blank(span.data[span.size - 1]))
		span.size--;
	return span;
}

static bool is_port(struct http_span span)
{
	for (size_t i = 0; i < span.size; i++)
		if (span.data[i] < '0' || span.data[i] > '9')
			return false;
	return true;
}

/* The host of "user:password@host:port" or "[::1]:port". */
static struct http_span host_of(struct http_span authority)
{
	const char *at = authority.size ? memrchr(authority.data, '@', authority.size) : NULL;
	size_t colon;

	if (at) /* the last one: a password may hold others */
		authority = span_skip(authority, (size_t)(at - authority.data) + 1);
	if (authority.size > 0 && authority.data[0] == '[') {
		authority = span_skip(authority, 1);
		authority.size = span_find(authority, ']');
		return authority;
	}
	colon = span_find(authority, ':');
	if (colon < authority.size && is_port(span_skip(authority, colon + 1)))
		authority.size = colon;
	return authority;
}

/* Cuts a path that ends with a query or a fragment. */
static void set_path(struct http_request_text *text, struct http_span path)
{
	size_t question;

	path.size = span_find(path, '#');
	question = span_find(path, '?');
	text->has_query = question < path.size;
	if (text->has_query)
		text->query = span_skip(path, question + 1);
	text->path = span_of(path.data, question);
}

/* "http://host/path": true, with the authority taken off, where the target has a scheme. */
static bool take_authority(struct http_span *target, struct http_span *ret_authority)
{
	size_t colon = span_find(*target, ':');
	struct http_span rest = span_skip(*target, colon);
	size_t size = 0;

	if (!span_begins(rest, "://") || span_find(*target, '/') < colon)
		return false;
	rest = span_skip(rest, 3);
	while (size < rest.size && !strchr("/?#", rest.data[size]))
		size++;
	*ret_authority = span_of(rest.data, size);
	*target = span_skip(rest, size);
	return true;
}

/* A host that the bytes end within may be longer. */
static void set_host(struct http_request_text *text, struct http_span authority, bool is_whole)
{
	if (is_whole)
		text->host = host_of(authority);
}

/* Whether a target that is cut may yet turn out to have a scheme. */
static bool may_have_scheme(struct http_span target, bool is_cut)
{
	return is_cut && target.size > 0 && target.data[0] != '/' && target.data[0] != '*';
}

static void read_target(struct http_request_text *text, struct http_span method,
			struct http_span target)
{
	struct http_span authority;

	if (method.size == strlen("CONNECT") && span_begins(method, "CONNECT")) {
		set_host(text, target, !text->is_cut);
	} else if (take_authority(&target, &authority)) {
		set_host(text, authority, !text->is_cut || target.size > 0);
		set_path(text, target);
	} else if (!may_have_scheme(target, text->is_cut)) {
		set_path(text, target);
	}
}

/* The Host header among whole lines, up to the empty one. */
static void find_host(struct http_request_text *text, struct http_span lines)
{
	static const char name[] = "Host:";

	while (lines.size > 0) {
		size_t end = span_find(lines, '\n');
		struct http_span line = span_of(lines.data, end);

		if (end == lines.size || span_trim(line).size == 0)
			return;
		if (span_begins(line, name)) {
			set_host(text, span_trim(span_skip(line, strlen(name))), true);
			return;
		}
		lines = span_skip(lines, end + 1);
	}
}

struct http_request_text http_request_text_of(const char *head, size_t size)
{
	struct http_request_text text = {0};
	struct http_span rest = span_of(head, size), line, method;
	size_t end;

	while (rest.size > 0 && (rest.data[0] == '\r' || rest.data[0] == '\n'))
		rest = span_skip(rest, 1);
	end = span_find(rest, '\n');
	line = span_of(rest.data, end);
	method = span_of(line.data, span_find(line, ' '));
	if (method.size == line.size) {
		text.is_cut = end == rest.size;
		return text;
	}
	line = span_skip(line, method.size + 1);
	text.is_cut = end == rest.size && span_find(line, ' ') == line.size;
	read_target(&text, method, span_trim(span_of(line.data, span_find(line, ' '))));
	if (end < rest.size && text.host.size == 0)
		find_host(&text, span_skip(rest, end + 1));
	return text;
}
