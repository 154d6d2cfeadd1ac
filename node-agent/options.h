/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The agent's command line. */
#ifndef SKEP_NODE_AGENT_OPTIONS_H
#define SKEP_NODE_AGENT_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/endpoint.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "node-agent/export/labels.h"

/* Strings belong to the command line. */
struct agent_options {
	bool help;
	bool version;
	struct endpoint operator;
	const char *operator_name; /* NULL: as the host */
	const char *node;
	const char *ca_file;
	const char *token_file;
	const char *state_directory;
	const char *cgroup_root;
	const char *tracefs;
	struct endpoint http;
	enum series_level metrics_level;
	enum log_level log_level;
};

/*
 * Reads the command line. With --help or --version, only that member is set. -EINVAL, with a
 * message that names the option and the remedy.
 */
int agent_options_parse(int argc, char *argv[], struct agent_options *ret_options,
			struct error *error);

/* Writes what --help says. */
void agent_options_print_help(FILE *out);

#endif
