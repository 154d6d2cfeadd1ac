// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The header Accept-Encoding: "gzip", "deflate, gzip;q=0.5", "*", … */

#include "lib/http/body.h"

#include <string.h>
#include <strings.h>

#define SPACE " \t"

/* Whether what follows a coding, up to `end`, weighs it with 0: ";q=0", ";q=0.000". */
static bool is_refused(const char *parameter, const char *end)
{
	while (parameter < end && strchr("; \t", *parameter))
		parameter++;
	if (end - parameter < 3 || strncasecmp(parameter, "q=0", 3) != 0)
		return false;
	parameter += 3;
	while (parameter < end && strchr(".0 \t", *parameter))
		parameter++;
	return parameter == end;
}

bool http_accepts_packed(const char *header)
{
	bool any = false;

	while (*header) {
		const char *end = header + strcspn(header, ",");
		size_t size;

		header += strspn(header, SPACE);
		size = strcspn(header, ",; \t");
		if (size == 4 && strncasecmp(header, "gzip", 4) == 0)
			return !is_refused(header + size, end);
		if (size == 1 && *header == '*')
			any = !is_refused(header + size, end);
		header = *end ? end + 1 : end;
	}
	return any;
}
