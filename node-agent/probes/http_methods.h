/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What HTTP's methods are called. */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_METHODS_H
#define SKEP_NODE_AGENT_PROBES_HTTP_METHODS_H

/* The name of an enum http_method, "GET"; "_OTHER" for one that is not known. */
const char *http_method_name(unsigned int method);

#endif
