/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* A command line of --name=value, read by a table that the help text is made of, too. */
#ifndef SKEP_LIB_BASE_OPTIONS_H
#define SKEP_LIB_BASE_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "lib/base/endpoint.h"
#include "lib/base/error.h"
#include "lib/base/log.h"

struct option_row {
	const char *name;
	const char *value;     /* what stands for its value in the help text */
	const char *otherwise; /* its value where it is not given; NULL: it must be */
	const char *help;
};

struct option_table {
	const char *intro; /* what --help says before the rows */
	const struct option_row *rows;
	size_t count;
};

enum option_question { OPTION_QUESTION_NONE, OPTION_QUESTION_HELP, OPTION_QUESTION_VERSION };

/*
 * Reads "--name=value" and "--name value" into values[], one for each row, which belong to the
 * command line or the table. Stops at --help or --version, which is then *ret_question. Returns 0,
 * or -EINVAL with a message that names the option and the remedy.
 */
int options_read(const struct option_table *table, int argc, char *argv[], const char *values[],
		 enum option_question *ret_question, struct error *error);

/* Read a value, as given for `row`; a message about it names the option. 0, or -EINVAL. */
int option_read_endpoint(const struct option_row *row, const char *value,
			 struct endpoint *ret_endpoint, struct error *error);
int option_read_log_level(const struct option_row *row, const char *value,
			  enum log_level *ret_level, struct error *error);

/* Writes what --help says. */
void options_print_help(const struct option_table *table, FILE *out);

#endif
