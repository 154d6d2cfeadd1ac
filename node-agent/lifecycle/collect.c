// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/lifecycle/collect.h"

#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "node-agent/export/labels.h"
#include "node-agent/lifecycle/slot.h"

void collect_probe(const struct running_probe *running, struct text *out)
{
	size_t count = HASH_COUNT(running->attachments);
	cleanup_free struct probe_series *series = calloc(count + 1, sizeof(*series));
	cleanup_free struct series_labels *labels = calloc(count + 1, sizeof(*labels));
	struct attachment *attachment, *next;
	size_t i = 0;

	if (!running->probe)
		return;
	if (!series || !labels) {
		out->failed = true;
		return;
	}
	HASH_ITER(hh, running->attachments, attachment, next) {
		series_labels_make(attachment->slot->pod, attachment->container, &labels[i]);
		series[i] = (struct probe_series){
			.attachment = attachment->handle,
			.labels = labels[i].labels,
			.label_count = labels[i].count,
		};
		i++;
	}
	running->kind->collect(running->probe, series, count, out);
}
