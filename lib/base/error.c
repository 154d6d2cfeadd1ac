// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"

int error_set(struct error *error, int number, const char *format, ...)
{
	va_list arguments;

	if (error) {
		va_start(arguments, format);
		vsnprintf(error->message, sizeof(error->message), format, arguments);
		va_end(arguments);
		utf8_make_printable(error->message);
	}
	return -number;
}

int error_set_errno(struct error *error, int number, const char *format, ...)
{
	va_list arguments;
	size_t length;

	if (!error)
		return -number;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	length = strlen(error->message);
	snprintf(error->message + length, sizeof(error->message) - length, ": %s",
		 strerror(number));
	utf8_make_printable(error->message);
	return -number;
}

int error_wrap(struct error *error, int result, const char *format, ...)
{
	char cause[ERROR_MESSAGE_SIZE];
	va_list arguments;
	size_t length;

	if (!error)
		return result;
	memcpy(cause, error->message, sizeof(cause));
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	length = strlen(error->message);
	snprintf(error->message + length, sizeof(error->message) - length, ": %s", cause);
	utf8_make_printable(error->message);
	return result;
}
