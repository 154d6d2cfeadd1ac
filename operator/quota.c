// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/quota.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"

#define ASK "or ask whoever runs the cluster for more"

static const char *const text_names[] = {
	[PROBE_TEXT_NONE] = "None",
	[PROBE_TEXT_NORMALIZED] = "Normalized",
	[PROBE_TEXT_RAW] = "Raw",
};

/* As a quota calls the parts of a budget. */
static const char *const budget_fields[BUDGET_PARTS] = {
	[BUDGET_EVENTS] = "eventsPerSecond",
	[BUDGET_SERIES] = "seriesPerPolicy",
};

struct quota *quota_free(struct quota *quota)
{
	if (!quota)
		return NULL;
	free(quota->uid);
	free(quota->name);
	selector_free(&quota->namespaces);
	free(quota);
	return NULL;
}

/* Probes of other names than those known here cannot be asked for either. */
static void decode_allowed(const cJSON *list, struct quota *quota)
{
	const cJSON *item;
	enum probe_type type;

	for (int i = 0; i < PROBE_TYPES; i++)
		quota->allows[i] = list == NULL;
	cJSON_ArrayForEach(item, list) {
		if (probe_type_parse(json_text_of(item), &type) == 0)
			quota->allows[type] = true;
	}
}

static enum probe_text decode_text(const cJSON *json)
{
	if (!json || strcmp(json_text_of(json), "Raw") == 0)
		return PROBE_TEXT_RAW;
	return strcmp(json_text_of(json), "Normalized") == 0 ? PROBE_TEXT_NORMALIZED
							     : PROBE_TEXT_NONE;
}

static void decode_budget(const cJSON *spec, struct quota *quota)
{
	for (int part = 0; part < BUDGET_PARTS; part++) {
		const cJSON *item = json_find(spec, budget_fields[part]);
		int64_t value = json_integer_of(item, 1);
		int64_t most = budget_part_most((enum budget_part)part);

		if (item)
			quota->budget.most[part] =
				(uint32_t)(value < 1 ? 1 : (value > most ? most : value));
	}
}

static int decode_spec(const cJSON *spec, struct quota *quota)
{
	const cJSON *policies = json_find(spec, "policiesPerNamespace");

	decode_allowed(json_find(spec, "allowedProbes"), quota);
	quota->policies = policies ? json_integer_of(policies, 0) : INT64_MAX;
	quota->text = decode_text(json_find(spec, "text"));
	decode_budget(spec, quota);
	return selector_decode(json_find(spec, "namespaceSelector"), "spec.namespaceSelector",
			       &quota->namespaces, &quota->trouble);
}

int quota_decode(const cJSON *object, struct quota **ret_quota)
{
	const cJSON *metadata = json_find(object, "metadata");
	struct quota *quota;

	if (!*json_text(metadata, "uid") || !*json_text(metadata, "name"))
		return -EINVAL;
	quota = calloc(1, sizeof(*quota));
	if (!quota)
		return -ENOMEM;
	quota->uid = strdup(json_text(metadata, "uid"));
	quota->name = strdup(json_text(metadata, "name"));
	if (!quota->uid || !quota->name ||
	    decode_spec(json_find(object, "spec"), quota) == -ENOMEM) {
		quota_free(quota);
		return -ENOMEM;
	}
	*ret_quota = quota;
	return 0;
}

bool quota_binds(const struct quota *quota, const struct labels *namespace_labels)
{
	return selector_matches(&quota->namespaces, namespace_labels);
}

/* Whether `quota` is to be told rather than `other`, `stricter` saying how their bounds compare. */
static bool is_told(const struct quota *quota, const struct quota *other, int stricter)
{
	if (!other || stricter != 0)
		return !other || stricter > 0;
	return strcmp(quota->name, other->name) < 0;
}

static int stricter_policies(const struct quota *a, const struct quota *b)
{
	return b ? (a->policies < b->policies) - (a->policies > b->policies) : 0;
}

static int stricter_text(const struct quota *a, const struct quota *b)
{
	return b ? (int)b->text - (int)a->text : 0;
}

static int stricter_budget(const struct quota *a, const struct quota *b, int part)
{
	if (!b)
		return 0;
	return (a->budget.most[part] < b->budget.most[part]) -
	       (a->budget.most[part] > b->budget.most[part]);
}

static void add_budget(struct quota_bounds *bounds, const struct quota *quota)
{
	for (int part = 0; part < BUDGET_PARTS; part++) {
		const struct quota **told = &bounds->budget[part];

		if (quota->budget.most[part] &&
		    is_told(quota, *told, stricter_budget(quota, *told, part)))
			*told = quota;
	}
}

static void add_bounds(struct quota_bounds *bounds, const struct quota *quota)
{
	for (int type = 0; type < PROBE_TYPES; type++)
		if (!quota->allows[type] && is_told(quota, bounds->forbids[type], 0))
			bounds->forbids[type] = quota;
	if (quota->policies < INT64_MAX &&
	    is_told(quota, bounds->policies, stricter_policies(quota, bounds->policies)))
		bounds->policies = quota;
	if (quota->text < PROBE_TEXT_RAW &&
	    is_told(quota, bounds->text, stricter_text(quota, bounds->text)))
		bounds->text = quota;
	add_budget(bounds, quota);
}

struct quota_bounds quota_bounds_of(const struct quota *quotas,
				    const struct labels *namespace_labels)
{
	struct quota_bounds bounds = {0};

	for (const struct quota *quota = quotas; quota; quota = quota->hh.next)
		if (quota_binds(quota, namespace_labels))
			add_bounds(&bounds, quota);
	return bounds;
}

/* "TCP, DNS": the probes that no quota forbids. */
static void join_allowed(const struct quota_bounds *bounds, char *out, size_t size)
{
	size_t length = 0;

	snprintf(out, size, "none");
	for (int type = 0; type < PROBE_TYPES && length < size; type++)
		if (!bounds->forbids[type])
			length += (size_t)snprintf(out + length, size - length, "%s%s",
						   length ? ", " : "",
						   probe_type_name((enum probe_type)type));
}

/* What is told where no quota says how many policies there may be. */
static bool check_default_count(size_t older, const char *namespace, struct error *error)
{
	if (older < QUOTA_POLICIES_DEFAULT)
		return true;
	error_set(error, EDQUOT,
		  "where no ProbeQuota sets policiesPerNamespace, %d policies of a namespace are "
		  "carried out, and %s has that many that are older than this one; delete one of "
		  "these, or ask whoever runs the cluster for such a ProbeQuota",
		  QUOTA_POLICIES_DEFAULT, namespace);
	return false;
}

static bool check_count(const struct quota_bounds *bounds, size_t older, const char *namespace,
			struct error *error)
{
	const struct quota *quota = bounds->policies;

	if (!quota)
		return check_default_count(older, namespace, error);
	if ((int64_t)older < quota->policies)
		return true;
	if (quota->policies <= 0)
		error_set(error, EDQUOT,
			  "ProbeQuota \"%s\" allows no policies in namespace %s "
			  "(policiesPerNamespace is 0); ask whoever runs the cluster for some",
			  quota->name, namespace);
	else
		error_set(error, EDQUOT,
			  "ProbeQuota \"%s\" allows %lld policies in a namespace, and %s has that "
			  "many that are older than this one; delete one of these, " ASK,
			  quota->name, (long long)quota->policies, namespace);
	return false;
}

static bool check_probe(const struct quota_bounds *bounds, enum probe_type type,
			const char *namespace, struct error *error)
{
	const struct quota *quota = bounds->forbids[type];
	char allowed[128];

	if (!quota)
		return true;
	join_allowed(bounds, allowed, sizeof(allowed));
	error_set(error, EDQUOT,
		  "spec.probes: ProbeQuota \"%s\" does not allow %s in namespace %s (allowed: %s); "
		  "leave it out, " ASK,
		  quota->name, probe_type_name(type), namespace, allowed);
	return false;
}

static bool check_text(const struct quota_bounds *bounds, enum probe_type type,
		       const struct policy_probe *probe, const char *namespace, struct error *error)
{
	const struct quota *quota = bounds->text;

	if (!quota || !probe->text_given ||
	    probe_settings_text(type, &probe->settings) <= quota->text)
		return true;
	error_set(error, EDQUOT,
		  "spec.probes: %s: ProbeQuota \"%s\" lets no more text leave the nodes from "
		  "namespace %s than %s; leave it out to get that, " ASK,
		  probe_text_field(type), quota->name, namespace, text_names[quota->text]);
	return false;
}

static bool check_probes(const struct quota_bounds *bounds, const struct policy *policy,
			 struct error *error)
{
	for (int i = 0; i < PROBE_TYPES; i++) {
		enum probe_type type = (enum probe_type)i;
		const struct policy_probe *probe = &policy->probes[i];

		if (probe->wanted && !(check_probe(bounds, type, policy->namespace, error) &&
				       check_text(bounds, type, probe, policy->namespace, error)))
			return false;
	}
	return true;
}

static bool check_budget(const struct quota_bounds *bounds, const struct policy *policy,
			 struct error *error)
{
	for (int i = 0; i < BUDGET_PARTS; i++) {
		enum budget_part part = (enum budget_part)i;
		const struct quota *quota = bounds->budget[part];

		if (!quota || policy->budget.most[part] <= quota->budget.most[part])
			continue;
		error_set(error, EDQUOT,
			  "spec.budget.%s: ProbeQuota \"%s\" allows a policy of namespace %s %u "
			  "%s on a node, and this one asks for %u; leave it out to get %u, " ASK,
			  budget_part_field(part), quota->name, policy->namespace,
			  quota->budget.most[part], budget_part_words(part),
			  policy->budget.most[part], quota->budget.most[part]);
		return false;
	}
	return true;
}

/* Adds a sentence to what is told of a policy that gets less than it would without quotas. */
__attribute__((format(printf, 2, 3))) static void add_note(struct error *note, const char *format,
							   ...)
{
	size_t length = strlen(note->message);
	va_list arguments;

	if (length)
		length += (size_t)snprintf(note->message + length, sizeof(note->message) - length,
					   "; ");
	if (length >= sizeof(note->message))
		return;
	va_start(arguments, format);
	vsnprintf(note->message + length, sizeof(note->message) - length, format, arguments);
	va_end(arguments);
}

/* "exec.arguments, http.paths": the fields of probes that get less text; "" for none. */
static void join_capped(const struct policy *policy, char *out, size_t size)
{
	size_t length = 0;

	out[0] = '\0';
	for (int i = 0; i < PROBE_TYPES && length < size; i++) {
		enum probe_type type = (enum probe_type)i;
		const struct policy_probe *probe = &policy->probes[type];

		if (probe->wanted && probe_settings_text(type, &probe->settings) > probe->text_most)
			length += (size_t)snprintf(out + length, size - length, "%s%s",
						   length ? ", " : "", probe_text_field(type));
	}
}

/* What a policy asks for by default, and may not have, it gets as far as it may. */
static void cap_text(const struct quota_bounds *bounds, struct policy *policy, struct error *note)
{
	const struct quota *quota = bounds->text;
	char fields[128];

	for (int type = 0; type < PROBE_TYPES; type++)
		policy->probes[type].text_most = quota ? quota->text : PROBE_TEXT_RAW;
	join_capped(policy, fields, sizeof(fields));
	if (quota && *fields)
		add_note(note, "ProbeQuota \"%s\" lets no more text of %s leave the nodes than %s",
			 quota->name, fields, text_names[quota->text]);
}

/* Returns whether a bound has changed. */
static bool cap_budget(const struct quota_bounds *bounds, struct policy *policy, struct error *note)
{
	bool changed = false;

	for (int i = 0; i < BUDGET_PARTS; i++) {
		const struct quota *quota = bounds->budget[i];
		struct policy_bound bound = {.most = policy->budget.most[i]};

		if (quota && !bound.most) {
			bound.most = quota->budget.most[i];
			snprintf(bound.quota, sizeof(bound.quota), "%s", quota->name);
			add_note(note, "ProbeQuota \"%s\" allows it %u %s on a node", quota->name,
				 bound.most, budget_part_words((enum budget_part)i));
		}
		changed |= bound.most != policy->bounds[i].most;
		policy->bounds[i] = bound;
	}
	return changed;
}

bool quota_judge(const struct quota_bounds *bounds, size_t older, struct policy *policy)
{
	struct error refusal = {0}, note = {0};
	bool over = !check_count(bounds, older, policy->namespace, &refusal) ||
		    !check_probes(bounds, policy, &refusal) ||
		    !check_budget(bounds, policy, &refusal);
	bool changed;

	cap_text(bounds, policy, &note);
	changed = cap_budget(bounds, policy, &note);
	changed |= over != policy->over_quota ||
		   strcmp(refusal.message, policy->quota_refusal.message) != 0 ||
		   strcmp(note.message, policy->quota_note.message) != 0;
	policy->over_quota = over;
	policy->quota_refusal = refusal;
	policy->quota_note = note;
	return changed;
}
