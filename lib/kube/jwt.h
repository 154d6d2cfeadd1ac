/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What a service-account token says of itself (JWT, RFC 7519). It is not checked here. */
#ifndef SKEP_LIB_KUBE_JWT_H
#define SKEP_LIB_KUBE_JWT_H

#include <stdint.h>

/*
 * When the token says that it ends (`exp`), in seconds since 1970, or 0 where it does not say. To
 * be believed only after the API server has said that the token holds.
 */
int64_t jwt_expiry(const char *token);

#endif
