/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Decodes base64 (RFC 4648, 4), the form of the *-data fields of a kubeconfig. */
#ifndef SKEP_LIB_KUBE_BASE64_H
#define SKEP_LIB_KUBE_BASE64_H

/*
 * Decodes `encoded`, which may hold line breaks, to a text. Returns 0 with *ret_text (free()),
 * -EINVAL when it is no base64 or the result holds a NUL or nothing, or -ENOMEM.
 */
int base64_decode_text(const char *encoded, char **ret_text);

#endif
