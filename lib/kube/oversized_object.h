/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What can be known of an object that is too large to be decoded. */
#ifndef SKEP_LIB_KUBE_OVERSIZED_OBJECT_H
#define SKEP_LIB_KUBE_OVERSIZED_OBJECT_H

#include <cjson/cJSON.h>

#include "lib/kube/json_span.h"

/*
 * An object of nothing but the metadata that stands in `beginning`, the first bytes of an object of
 * the API; metadata comes before spec and status there. It is the caller's. NULL where the metadata
 * is not there as a whole, or memory ran out.
 */
cJSON *oversized_object(struct json_stretch beginning);

#endif
