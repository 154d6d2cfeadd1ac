/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * An error: what was being done and why it failed, in words for the person who can act on it.
 *
 * A function that can fail returns 0 or a negative errno and takes a `struct error *` last. The
 * caller owns the struct (on its stack as a rule) and may pass NULL when the number is enough.
 */
#ifndef SKEP_LIB_BASE_ERROR_H
#define SKEP_LIB_BASE_ERROR_H

#define ERROR_MESSAGE_SIZE 512

struct error {
	char message[ERROR_MESSAGE_SIZE];
};

/*
 * Sets the message and returns -number (number is an errno, positive), so that a failing function
 * can end with `return error_set(error, EINVAL, "...")`. A message that is too long is cut; what is
 * not printable in it (it may quote what a stranger wrote) becomes '?'.
 */
int error_set(struct error *error, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set(), with ": <text of the errno>" behind the message. */
int error_set_errno(struct error *error, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Puts "context: " in front of a message that a callee has set, and returns `result`, the callee's
 * negative errno, unchanged.
 */
int error_wrap(struct error *error, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
