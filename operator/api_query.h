/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What a request to the API says, read and checked. No I/O. */
#ifndef SKEP_OPERATOR_API_QUERY_H
#define SKEP_OPERATOR_API_QUERY_H

#include "lib/base/error.h"
#include "lib/base/strings.h"

/*
 * The namespace that the query narrows the answer to; NULL for none. It belongs to `query` (members
 * "name=value"). -EINVAL for anything else in it.
 */
int api_query_namespace(const struct strings *query, const char **ret_namespace,
			struct error *error);

/* The token of an Authorization header (RFC 6750, 2.1), within it; NULL where there is none. */
const char *api_bearer_token(const char *authorization);

#endif
