// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/budget/budgets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS     1000000ULL
#define NS_PER_SECOND 1000000000ULL

static struct policy_budget *find(const struct budgets *budgets, const char *policy)
{
	struct policy_budget *found;

	HASH_FIND_STR(budgets->by_policy, policy, found);
	return found;
}

static struct policy_budget *add(struct budgets *budgets, const char *policy)
{
	struct policy_budget *added = calloc(1, sizeof(*added));

	if (added)
		added->policy = strdup(policy);
	if (!added || !added->policy) {
		free(added);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, budgets->by_policy, added->policy, strlen(added->policy), added);
	if (is_in_table(added))
		return added;
	free(added->policy);
	free(added);
	return NULL;
}

static void drop(struct budgets *budgets, struct policy_budget *budget)
{
	HASH_DEL(budgets->by_policy, budget);
	free(budget->policy);
	free(budget);
}

void budgets_begin(struct budgets *budgets)
{
	struct policy_budget *budget = budgets->by_policy;

	for (; budget; budget = budget->hh.next)
		budget->named = false;
}

static int put(struct budgets *budgets, const struct selected_budget *selected)
{
	struct policy_budget *budget = find(budgets, selected->policy);

	if (!budget)
		budget = add(budgets, selected->policy);
	if (!budget)
		return -ENOMEM;
	budget->named = true;
	budget->budget = selected->budget;
	return 0;
}

/* Goes on after a failure: what is known needs no memory, and must not be taken for gone. */
int budgets_add_pod(struct budgets *budgets, const struct selected_pod *pod)
{
	int result = 0;

	for (size_t i = 0; i < pod->budget_count; i++)
		if (put(budgets, &pod->budgets[i]) < 0)
			result = -ENOMEM;
	return result;
}

void budgets_end(struct budgets *budgets)
{
	struct policy_budget *budget, *next;

	HASH_ITER(hh, budgets->by_policy, budget, next)
		if (!budget->named)
			drop(budgets, budget);
}

/* As rate_limit_take() of bpf/lib/rate_limit.h does it. */
static bool take_token(struct policy_budget *budget, uint64_t now_ns)
{
	uint32_t rate = budget->budget.most[BUDGET_EVENTS];
	uint64_t next;

	if (!rate)
		return true;
	next = (budget->full_at > now_ns ? budget->full_at : now_ns) + NS_PER_SECOND / rate;
	if (next - now_ns > NS_PER_SECOND)
		return false;
	budget->full_at = next;
	return true;
}

/* What cannot be counted as shed is told rather than lost. */
static bool admit(struct budgets *budgets, const char *policy, uint64_t now)
{
	struct policy_budget *budget = find(budgets, policy);

	if (!budget || take_token(budget, now * NS_PER_MS))
		return true;
	return throttles_note(&budgets->throttles, policy, BUDGET_EVENTS,
			      budget->budget.most[BUDGET_EVENTS], now) < 0;
}

bool budgets_admit(struct budgets *budgets, const struct strings *policies, uint64_t now,
		   bool told[SELECTION_POLICIES_LIMIT])
{
	bool any = policies->count == 0;

	for (size_t i = 0; i < policies->count && i < SELECTION_POLICIES_LIMIT; i++) {
		told[i] = admit(budgets, policies->items[i], now);
		any |= told[i];
	}
	return any;
}

uint32_t budgets_series_limit(const struct budgets *budgets, const char *policy)
{
	const struct policy_budget *budget = find(budgets, policy);
	uint32_t most = budget ? budget->budget.most[BUDGET_SERIES] : 0;

	return most ? most : BUDGET_SERIES_MOST;
}

void budgets_free(struct budgets *budgets)
{
	struct policy_budget *budget, *next;

	HASH_ITER(hh, budgets->by_policy, budget, next)
		drop(budgets, budget);
	throttles_free(&budgets->throttles);
}
