// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/series/quota.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/lib/share.h"
#include "lib/metrics/exposition.h"
#include "node-agent/budget/policy_labels.h"

#define REFUSED_FAMILY "skep_series_overflowed_total"

static void quota_free(struct series_quotas *quotas, struct series_quota *quota)
{
	namespaces_leave(&quotas->namespaces, quota->namespace);
	free(quota->policy);
	free(quota);
}

static struct series_quota *quota_new(struct series_quotas *quotas, const char *policy)
{
	struct series_quota *quota = calloc(1, sizeof(*quota));
	struct policy_labels labels;

	if (!quota)
		return NULL;
	policy_labels_make(policy, &labels);
	quota->policy = strdup(policy);
	quota->namespace = namespaces_join(&quotas->namespaces, labels.namespace);
	if (quota->policy && quota->namespace)
		return quota;
	quota_free(quotas, quota);
	return NULL;
}

struct series_quota *series_quota_use(struct series_quotas *quotas, const char *policy)
{
	struct series_quota *quota;

	HASH_FIND_STR(quotas->by_policy, policy, quota);
	if (!quota) {
		quota = quota_new(quotas, policy);
		if (!quota)
			return NULL;
		HASH_ADD_KEYPTR(hh, quotas->by_policy, quota->policy, strlen(quota->policy), quota);
	}
	if (!is_in_table(quota)) {
		quota_free(quotas, quota);
		return NULL;
	}
	quota->users++;
	return quota;
}

void series_quota_leave(struct series_quotas *quotas, struct series_quota *quota)
{
	if (--quota->users > 0)
		return;
	HASH_DELETE(hh, quotas->by_policy, quota);
	quota_free(quotas, quota);
}

static size_t limit_of(const struct series_quotas *quotas, const struct series_quota *quota)
{
	const struct series_bounds *bounds = &quotas->bounds;

	return bounds->limit ? bounds->limit(bounds->context, quota->policy) : SERIES_POLICY_LIMIT;
}

bool series_quota_has_room(const struct series_quotas *quotas, const struct series_quota *quota,
			   size_t series)
{
	return share_has_room(quota->namespace->held, quotas->series, SERIES_NODE_LIMIT, series) &&
	       quota->series + series <= limit_of(quotas, quota);
}

void series_quota_refuse(const struct series_quotas *quotas, struct series_quota *quota,
			 size_t series)
{
	const struct series_bounds *bounds = &quotas->bounds;
	size_t limit = limit_of(quotas, quota);

	quota->refused++;
	if (bounds->refused && *quota->policy)
		bounds->refused(bounds->context, quota->policy,
				quota->series + series > limit ? limit : SERIES_NODE_LIMIT);
}

static void write_refused(const struct series_quota *quota, struct text *out)
{
	struct policy_labels labels;

	policy_labels_make(quota->policy, &labels);
	metrics_sample(out, REFUSED_FAMILY, labels.labels, POLICY_LABELS, (double)quota->refused);
}

void series_quotas_write(const struct series_quotas *quotas, struct text *out)
{
	bool begun = false;

	for (const struct series_quota *quota = quotas->by_policy; quota; quota = quota->hh.next) {
		if (!quota->refused)
			continue;
		if (!begun)
			metrics_family(out, REFUSED_FAMILY, METRIC_COUNTER,
				       "Times that figures were added to an overflow series, as "
				       "the policy had no room for one more.");
		begun = true;
		write_refused(quota, out);
	}
}
