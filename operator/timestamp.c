// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/timestamp.h"

#include <time.h>

int64_t timestamp_parse(const char *text)
{
	struct tm time = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &time);

	return end && !*end ? timegm(&time) : 0;
}
