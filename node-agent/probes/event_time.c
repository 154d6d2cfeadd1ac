// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/event_time.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_SECOND 1000000000LL
#define TIME_SIZE     64 /* "2026-11-21T04:25:00.123456789Z" */

int64_t event_time_offset(void)
{
	struct timespec day, monotonic;

	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	clock_gettime(CLOCK_REALTIME, &day);
	return (day.tv_sec - monotonic.tv_sec) * NS_PER_SECOND + day.tv_nsec - monotonic.tv_nsec;
}

bool event_time_add(cJSON *event, uint64_t time, int64_t offset)
{
	int64_t day = (int64_t)time + offset;
	time_t seconds = day / NS_PER_SECOND;
	struct tm parts = {0};
	char text[TIME_SIZE];
	size_t length;

	gmtime_r(&seconds, &parts);
	length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, sizeof(text) - length, ".%09dZ", (int)(day % NS_PER_SECOND));
	return cJSON_AddStringToObject(event, "time", text);
}
