/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The agent's command line. */
#ifndef SKEP_NODE_AGENT_OPTIONS_H
#define SKEP_NODE_AGENT_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/error.h"
#include "lib/base/log.h"

/* Strings belong to the command line, or to the struct where they were cut out of it. */
struct options {
	bool help;
	char *operator_host; /* owned */
	int operator_port;
	const char *operator_name;
	const char *node;
	const char *ca_file;
	const char *token_file;
	const char *state_directory;
	const char *cgroup_root;
	const char *tracefs;
	char *http_address; /* owned; "" for all */
	int http_port;
	enum log_level log_level;
};

/*
 * Reads the command line. With --help, `help` is set and the rest is not checked. -EINVAL, with a
 * message that names the option and the remedy. *ret_options is to be released with options_free().
 */
int options_parse(int argc, char *argv[], struct options *ret_options, struct error *error);

void options_free(struct options *options);

/* Writes what --help says. */
void options_print_help(FILE *out);

#endif
