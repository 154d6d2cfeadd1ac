// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_path.h"

#include <string.h>

#include "bpf/lib/http_route.h"

/* What stands for a segment, by its class. */
static const char *const names[HTTP_ROUTE_CLASSES] = {
	[HTTP_ROUTE_NUMBER] = "{number}", [HTTP_ROUTE_UUID] = "{uuid}",
	[HTTP_ROUTE_HASH] = "{hash}",	  [HTTP_ROUTE_EMAIL] = "{email}",
	[HTTP_ROUTE_TOKEN] = "{token}",
};
#define REST "{rest...}"

_Static_assert(HTTP_PATH_SIZE > HTTP_ROUTE_SEGMENTS * (1 + HTTP_ROUTE_WORD_MOST) + sizeof("/" REST),
	       "no text is longer");

struct writing {
	struct http_route_look look; /* the first member: how on_segment() comes by the rest */
	struct http_route route;
	char *text;
	size_t length;
};

static void append(struct writing *writing, const char *bytes, size_t size)
{
	memcpy(writing->text + writing->length, bytes, size);
	writing->length += size;
}

static __always_inline void http_route_on_segment(struct http_route_look *look, __u64 hash,
						  __u8 class)
{
	struct writing *writing = (struct writing *)look;
	const char *end = (const char *)look->bytes + look->at - 1;
	size_t length = look->route->length;

	(void)hash;
	if (look->route->slashes > HTTP_ROUTE_SEGMENTS + 1)
		return;
	append(writing, "/", 1);
	if (look->route->slashes > HTTP_ROUTE_SEGMENTS)
		append(writing, REST, strlen(REST));
	else if (class == HTTP_ROUTE_LITERAL)
		append(writing, end - length, length);
	else
		append(writing, names[class], strlen(names[class]));
}

/* What the end of a cut target is within is not known to be whole. */
static void end_cut(struct writing *writing)
{
	if (writing->route.phase != HTTP_ROUTE_SEGMENT &&
	    writing->route.phase != HTTP_ROUTE_PARAMETERS)
		return;
	if (writing->route.slashes <= HTTP_ROUTE_SEGMENTS)
		append(writing, "/" REST, strlen("/" REST));
	writing->route.phase = HTTP_ROUTE_END;
}

/* The line's end, which target and size leave out. */
static void end_whole(struct writing *writing)
{
	writing->look.at++;
	if (writing->route.phase < HTTP_ROUTE_END)
		http_route_end_target(&writing->look, writing->look.size);
}

size_t http_path_normalize(const char *target, size_t size, bool cut, char ret_text[HTTP_PATH_SIZE])
{
	struct writing writing = {.text = ret_text, .route.phase = HTTP_ROUTE_TARGET};

	writing.look = (struct http_route_look){
		.route = &writing.route, .bytes = (const __u8 *)target, .size = (__u32)size};
	http_route_begin_segment(&writing.route);
	while (writing.look.at < writing.look.size && writing.route.phase < HTTP_ROUTE_END)
		(void)http_route_step(0, &writing.look);
	if (cut)
		end_cut(&writing);
	else
		end_whole(&writing);
	if (writing.route.phase != HTTP_ROUTE_END)
		writing.length = 0;
	else if (!writing.length)
		append(&writing, "/", 1);
	ret_text[writing.length] = '\0';
	return writing.length;
}
