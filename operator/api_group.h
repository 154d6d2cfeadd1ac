/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The names of our API, and the one by which the operator writes. */
#ifndef SKEP_OPERATOR_API_GROUP_H
#define SKEP_OPERATOR_API_GROUP_H

#define API_VERSION   "skep.dev/v1alpha1" /* group and version */
#define API_PATH      "/apis/" API_VERSION
#define FIELD_MANAGER "skep-operator" /* of server-side apply, and who reports an Event */

#endif
