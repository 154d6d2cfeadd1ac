// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The TCP probe has no settings. */

#include "lib/intent/probe_kind.h"

const struct intent_kind tcp_intent = {.name = "TCP"};
