// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum log_level least_level = LOG_LEVEL_INFO;

int log_level_parse(const char *name, enum log_level *ret_level, struct error *error)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return error_set(error, EINVAL, "\"%s\" is no level; use debug, info, warn or error", name);
}

void log_set_level(enum log_level level)
{
	least_level = level;
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char *const names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
	char message[1024], moment[32];
	struct timespec now;
	struct tm parts;
	va_list arguments;

	if (level < least_level)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(moment, sizeof(moment), "%Y-%m-%dT%H:%M:%S", &parts);
	fprintf(stderr, "%s.%03ldZ %s %s\n", moment, now.tv_nsec / 1000000, names[level], message);
}
