/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Tools that take a secret behind an option of one letter. */
#ifndef SKEP_NODE_AGENT_PROBES_REDACT_TOOLS_H
#define SKEP_NODE_AGENT_PROBES_REDACT_TOOLS_H

enum tool_form {
	TOOL_ATTACHED, /* -pSECRET only; -p alone asks for it */
	TOOL_EITHER,   /* -pSECRET or -p SECRET */
	TOOL_USER,     /* -u user:SECRET */
};

struct tool {
	const char *name; /* of the program, or of its command that takes the option */
	const char *options;
	enum tool_form form;
};

/* The tool that a path or a word names, or NULL. */
const struct tool *tool_find(const char *word);

#endif
