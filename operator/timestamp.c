// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/timestamp.h"

#include <time.h>

void timestamp_format(int64_t seconds, char text[TIMESTAMP_SIZE])
{
	time_t moment = (time_t)seconds;
	struct tm parts;

	strftime(text, TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&moment, &parts));
}

int64_t timestamp_parse(const char *text)
{
	struct tm time = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &time);

	return end && !*end ? timegm(&time) : 0;
}
