// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/budget/throttles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/budget/policy_labels.h"

#define FIRST_LOOK_MS 1000 /* after which a first figure is told */

static struct throttle *find(const struct throttles *throttles, const char *policy)
{
	struct throttle *throttle;

	HASH_FIND_STR(throttles->by_policy, policy, throttle);
	return throttle;
}

static struct throttle *ensure(struct throttles *throttles, const char *policy)
{
	struct throttle *throttle = find(throttles, policy);

	if (throttle)
		return throttle;
	throttle = calloc(1, sizeof(*throttle));
	if (throttle)
		throttle->policy = strdup(policy);
	if (!throttle || !throttle->policy) {
		free(throttle);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, throttles->by_policy, throttle->policy, strlen(throttle->policy),
			throttle);
	if (is_in_table(throttle))
		return throttle;
	free(throttle->policy);
	free(throttle);
	return NULL;
}

static void drop(struct throttles *throttles, struct throttle *throttle)
{
	HASH_DEL(throttles->by_policy, throttle);
	free(throttle->policy);
	free(throttle);
}

static void count_shed(struct throttle *throttle, bool first, uint64_t now)
{
	if (first) {
		throttle->window_from = now;
		throttle->window_shed = 0;
	}
	throttle->shed++;
	throttle->window_shed++;
}

int throttles_note(struct throttles *throttles, const char *policy, enum budget_part part,
		   uint32_t most, uint64_t now)
{
	struct throttle *throttle = ensure(throttles, policy);
	struct throttle_part former;

	if (!throttle)
		return -ENOMEM;
	former = throttle->parts[part];
	throttle->parts[part] = (struct throttle_part){true, most, now};
	throttle->news |= !former.on || former.most != most;
	if (part == BUDGET_EVENTS)
		count_shed(throttle, !former.on, now);
	return 0;
}

static void end_part(struct throttle *throttle, int part)
{
	throttle->parts[part].on = false;
	throttle->news = true;
	if (part == BUDGET_EVENTS)
		throttle->shed_per_second = 0;
}

/* To one digit, so that a figure that wavers is told once; of what was shed, no less than 1. */
static uint32_t round_rate(uint64_t count, uint64_t milliseconds)
{
	uint64_t rate = count * 1000 / milliseconds, digit = 1;

	while (rate / digit >= 10)
		digit *= 10;
	rate = (rate + digit / 2) / digit * digit;
	if (rate > UINT32_MAX)
		return UINT32_MAX;
	return rate ? (uint32_t)rate : 1;
}

static void review_rate(struct throttle *throttle, uint64_t now)
{
	uint64_t elapsed = now - throttle->window_from;
	bool first = !throttle->shed_per_second && elapsed >= FIRST_LOOK_MS;
	uint32_t rate;

	if (!throttle->parts[BUDGET_EVENTS].on || (!first && elapsed < THROTTLE_WINDOW_MS))
		return;
	if (throttle->window_shed) {
		rate = round_rate(throttle->window_shed, elapsed);
		throttle->news |= rate != throttle->shed_per_second;
		throttle->shed_per_second = rate;
	}
	if (elapsed >= THROTTLE_WINDOW_MS) {
		throttle->window_from = now;
		throttle->window_shed = 0;
	}
}

/* Returns how long ago the policy was last beyond a bound. */
static uint64_t review_parts(struct throttle *throttle, uint64_t now)
{
	uint64_t least = UINT64_MAX;

	for (int part = 0; part < BUDGET_PARTS; part++) {
		uint64_t ago = now - throttle->parts[part].noted_at;

		if (throttle->parts[part].on && ago >= THROTTLE_HOLD_MS)
			end_part(throttle, part);
		if (ago < least)
			least = ago;
	}
	return least;
}

bool throttles_review(struct throttles *throttles, uint64_t now)
{
	struct throttle *throttle, *next;
	bool news = false;

	HASH_ITER(hh, throttles->by_policy, throttle, next) {
		uint64_t ago = review_parts(throttle, now);

		review_rate(throttle, now);
		news |= throttle->news;
		throttle->news = false;
		if (ago >= THROTTLE_KEPT_MS)
			drop(throttles, throttle);
	}
	return news;
}

static bool is_on(const struct throttle *throttle)
{
	for (int part = 0; part < BUDGET_PARTS; part++)
		if (throttle->parts[part].on)
			return true;
	return false;
}

bool throttles_are_quiet(const struct throttles *throttles)
{
	const struct throttle *throttle = throttles->by_policy;

	for (; throttle; throttle = throttle->hh.next)
		if (throttle->news || is_on(throttle))
			return false;
	return true;
}

int throttles_report(const struct throttles *throttles, struct report *report)
{
	const struct throttle *throttle = throttles->by_policy;
	int result = 0;

	for (; throttle && result == 0; throttle = throttle->hh.next) {
		struct report_throttle told = {
			.policy = throttle->policy,
			.shed_per_second = throttle->shed_per_second,
		};

		for (int part = 0; part < BUDGET_PARTS; part++)
			if (throttle->parts[part].on)
				told.beyond.most[part] = throttle->parts[part].most;
		if (is_on(throttle))
			result = report_add_throttle(report, &told);
	}
	return result;
}

void throttles_write(const struct throttles *throttles, const char *name, struct text *out)
{
	const struct throttle *throttle = throttles->by_policy;

	for (; throttle; throttle = throttle->hh.next) {
		struct metric_label labels[1 + POLICY_LABELS] = {{"stage", "rate_limited"}};
		struct policy_labels policy;

		if (!throttle->shed)
			continue;
		policy_labels_make(throttle->policy, &policy);
		memcpy(&labels[1], policy.labels, sizeof(policy.labels));
		metrics_sample(out, name, labels, 1 + POLICY_LABELS, (double)throttle->shed);
	}
}

void throttles_free(struct throttles *throttles)
{
	struct throttle *throttle, *next;

	HASH_ITER(hh, throttles->by_policy, throttle, next)
		drop(throttles, throttle);
}
