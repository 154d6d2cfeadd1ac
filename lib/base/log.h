/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The daemons' log: one line a message on standard error, with time (UTC) and level. */
#ifndef SKEP_LIB_BASE_LOG_H
#define SKEP_LIB_BASE_LOG_H

#include "lib/base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* Reads "debug", "info", "warn" or "error". Returns 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *ret_level, struct error *error);

/* Sets the least level that is written; LOG_LEVEL_INFO until then. */
void log_set_level(enum log_level level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
