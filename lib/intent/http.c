// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The HTTP probe has no settings. */

#include "lib/intent/probe_kind.h"

const struct intent_kind http_intent = {.name = "HTTP"};
