/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Which names announce a secret. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_REDACT_NAME_H
#define SKEP_NODE_AGENT_PROBES_REDACT_NAME_H

#include <stddef.h>

enum secrecy {
	SECRECY_NONE,
	SECRECY_LIKELY, /* key, token ...: unless the value says otherwise (a path, a flag) */
	SECRECY_SURE,	/* password, secret ...: whatever the value */
};

/* How secret the value of the option, variable or header `name` is. Case does not matter. */
enum secrecy redact_name_secrecy(const char *name, size_t length);

#endif
