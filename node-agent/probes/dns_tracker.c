// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_tracker.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/lib/share.h"
#include "lib/base/table.h"
#include <utlist.h>

#include "node-agent/probes/dns_search.h"

/* By what an answer finds its query; its end, from `type` on, is the question alone. */
struct query_key {
	uint16_t client_port;
	uint16_t id;
	uint16_t tcp;
	uint16_t type;
	char name[DNS_NAME_SIZE];
};

#define KEY_NAME     offsetof(struct query_key, name)
#define KEY_QUESTION offsetof(struct query_key, type)

enum stage {
	STAGE_OPEN,    /* waits for its answer */
	STAGE_EXPIRED, /* has waited in vain; may be sent again */
	STAGE_ABSENT,  /* there is no such name; the search may go on */
};
#define STAGES 3

struct query {
	UT_hash_handle by_key;	    /* while open or expired */
	UT_hash_handle by_question; /* of those, the one that asked last */
	struct query *prev, *next;  /* of the same stage, the oldest first */
	enum stage stage;
	bool latest;   /* it is found by its question */
	bool as_asked; /* it is the name that the application asked for */
	bool told;
	uint64_t sent;	   /* the last time */
	uint64_t answered; /* of one that is absent */
	struct dns_lookup lookup;
	size_t name_length;
	struct query_key key; /* allocated as long as its name */
};

struct dns_tracker {
	struct namespace *namespace;
	struct dns_budget *budget;
	dns_tracker_tell *tell;
	void *context;
	struct query *by_key;
	struct query *by_question;
	struct query *stages[STAGES];
	size_t counts[STAGES];
	uint64_t forgotten;
};

/* --- one query --- */

static size_t key_set(struct query_key *key, const struct dns_sighting *sighting)
{
	size_t length = strlen(sighting->message->name);

	*key = (struct query_key){
		.client_port = sighting->client_port,
		.id = sighting->message->id,
		.tcp = sighting->tcp,
		.type = sighting->message->type,
	};
	memcpy(key->name, sighting->message->name, length + 1);
	return length;
}

static struct query *query_new(const struct query_key *key, size_t name_length,
			       const struct dns_sighting *sighting)
{
	size_t key_size = KEY_NAME + name_length + 1;
	struct query *query = calloc(1, offsetof(struct query, key) + key_size);

	if (!query)
		return NULL;
	memcpy(&query->key, key, key_size);
	query->name_length = name_length;
	query->sent = sighting->time;
	query->lookup = (struct dns_lookup){
		.name = query->key.name,
		.type = key->type,
		.tcp = key->tcp,
		.container = sighting->container,
		.asked = sighting->time,
		.lost = sighting->lost,
	};
	memcpy(query->lookup.server, sighting->server, sizeof(query->lookup.server));
	return query;
}

static uint64_t since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

/* --- where a query is --- */

static void leave_stage(struct dns_tracker *tracker, struct query *query)
{
	DL_DELETE(tracker->stages[query->stage], query);
	tracker->counts[query->stage]--;
}

static void enter_stage(struct dns_tracker *tracker, struct query *query, enum stage stage)
{
	query->stage = stage;
	DL_APPEND(tracker->stages[stage], query);
	tracker->counts[stage]++;
}

static void move(struct dns_tracker *tracker, struct query *query, enum stage stage)
{
	leave_stage(tracker, query);
	enter_stage(tracker, query, stage);
}

/* An answer finds it no more, nor does the same question. */
static void leave_tables(struct dns_tracker *tracker, struct query *query)
{
	if (query->stage == STAGE_ABSENT)
		return;
	HASH_DELETE(by_key, tracker->by_key, query);
	if (query->latest)
		HASH_DELETE(by_question, tracker->by_question, query);
	query->latest = false;
}

static struct query *find_query(const struct dns_tracker *tracker, const struct query_key *key,
				size_t name_length)
{
	struct query *query;

	HASH_FIND(by_key, tracker->by_key, key, KEY_NAME + name_length, query);
	return query;
}

static struct query *find_question(const struct dns_tracker *tracker, const struct query_key *key,
				   size_t name_length)
{
	struct query *query;

	HASH_FIND(by_question, tracker->by_question, &key->type,
		  KEY_NAME - KEY_QUESTION + name_length, query);
	return query;
}

/* False: no memory; it is in neither table then, and `earlier` stays the one that asked last. */
static bool enter_tables(struct dns_tracker *tracker, struct query *query, struct query *earlier)
{
	HASH_ADD(by_key, tracker->by_key, key, KEY_NAME + query->name_length, query);
	if (!query->by_key.tbl)
		return false;
	HASH_ADD(by_question, tracker->by_question, key.type,
		 KEY_NAME - KEY_QUESTION + query->name_length, query);
	if (!query->by_question.tbl) {
		HASH_DELETE(by_key, tracker->by_key, query);
		return false;
	}
	if (earlier) {
		HASH_DELETE(by_question, tracker->by_question, earlier);
		earlier->latest = false;
	}
	query->latest = true;
	return true;
}

static void tell(struct dns_tracker *tracker, struct query *query)
{
	tracker->tell(tracker->context, &query->lookup);
	query->told = true;
	query->lookup.resent = 0;
}

static void forget(struct dns_tracker *tracker, struct query *query)
{
	if (query->stage == STAGE_ABSENT && !query->told)
		tell(tracker, query);
	leave_tables(tracker, query);
	leave_stage(tracker, query);
	tracker->namespace->held--;
	tracker->budget->used--;
	free(query);
}

/* --- room --- */

/* What may go first: what has been told already. */
static struct query *least_wanted(const struct dns_tracker *tracker)
{
	if (tracker->stages[STAGE_EXPIRED])
		return tracker->stages[STAGE_EXPIRED];
	if (tracker->stages[STAGE_ABSENT])
		return tracker->stages[STAGE_ABSENT];
	return tracker->stages[STAGE_OPEN];
}

/* False when the namespace's other targets have its share and this one has nothing to give. */
static bool make_room(struct dns_tracker *tracker)
{
	size_t own = tracker->counts[STAGE_OPEN] + tracker->counts[STAGE_EXPIRED] +
		     tracker->counts[STAGE_ABSENT];
	struct query *query = least_wanted(tracker);

	if (own < DNS_TARGET_LIMIT &&
	    share_has_room(tracker->namespace->held, tracker->budget->used, DNS_NODE_LIMIT, 1))
		return true;
	if (!query)
		return false;
	if (query->stage == STAGE_OPEN)
		tracker->forgotten++;
	forget(tracker, query);
	return true;
}

/* --- queries --- */

/* The same query once more: to another server at once, or because no answer came. */
static void ask_again(struct dns_tracker *tracker, struct query *query,
		      const struct dns_sighting *sighting)
{
	bool elsewhere = memcmp(query->lookup.server, sighting->server, 16) != 0;
	bool copy = elsewhere && since(query->sent, sighting->time) < DNS_COPY_NS;

	query->sent = sighting->time;
	memcpy(query->lookup.server, sighting->server, sizeof(query->lookup.server));
	if (copy)
		return;
	query->lookup.resent++;
	query->lookup.retries++;
	if (query->stage != STAGE_EXPIRED)
		return;
	query->told = false;
	query->lookup.asked = sighting->time;
	query->lookup.lost = sighting->lost;
	move(tracker, query, STAGE_OPEN);
}

static bool is_retry(const struct query *earlier, const struct query *query)
{
	return earlier->key.id == query->key.id ||
	       since(earlier->sent, query->sent) >= DNS_PATIENCE_NS;
}

/* A name that is absent was made by the resolver: told as what was asked for, if not too late. */
static void found_made(struct dns_tracker *tracker, struct query *absent, size_t length)
{
	if (absent->told)
		return;
	absent->lookup.search = length;
	tell(tracker, absent);
}

/* What the new query says of those before it, which were in vain, and they of it: the longest name
 * that it may have been made from. */
static void look_for_search(struct dns_tracker *tracker, struct query *query)
{
	struct query *absent;
	size_t length;

	DL_FOREACH(tracker->stages[STAGE_ABSENT], absent) {
		enum dns_search_step step;

		if (absent->key.type != query->key.type)
			continue;
		step = dns_search_step(absent->key.name, query->key.name, tracker->namespace->name,
				       &length);
		if (step == DNS_SEARCH_ENDED)
			query->as_asked = true;
		if ((step == DNS_SEARCH_BEGUN || step == DNS_SEARCH_NEXT) &&
		    length > query->lookup.search)
			query->lookup.search = length;
		if (step == DNS_SEARCH_NEXT || step == DNS_SEARCH_ENDED)
			found_made(tracker, absent, length);
	}
	if (query->as_asked)
		query->lookup.search = 0;
}

static void ask_anew(struct dns_tracker *tracker, const struct query_key *key, size_t name_length,
		     const struct dns_sighting *sighting)
{
	struct query *query = make_room(tracker) ? query_new(key, name_length, sighting) : NULL;
	struct query *earlier;

	if (!query) {
		tracker->forgotten++;
		return;
	}
	earlier = find_question(tracker, key, name_length);
	if (earlier && is_retry(earlier, query)) {
		query->lookup.resent = 1;
		query->lookup.retries = earlier->lookup.retries + 1;
	}
	if (!enter_tables(tracker, query, earlier)) {
		tracker->forgotten++;
		free(query);
		return;
	}
	look_for_search(tracker, query);
	enter_stage(tracker, query, STAGE_OPEN);
	tracker->namespace->held++;
	tracker->budget->used++;
}

void dns_tracker_ask(struct dns_tracker *tracker, const struct dns_sighting *sighting)
{
	struct query_key key;
	size_t name_length = key_set(&key, sighting);
	struct query *query;

	dns_tracker_advance(tracker, sighting->time);
	query = find_query(tracker, &key, name_length);
	if (query)
		ask_again(tracker, query, sighting);
	else
		ask_anew(tracker, &key, name_length, sighting);
}

/* --- answers --- */

static void wait_for_search(struct dns_tracker *tracker, struct query *query, uint64_t now)
{
	bool known = query->as_asked || query->lookup.search;

	if (tracker->counts[STAGE_ABSENT] >= DNS_SEARCH_LIMIT)
		forget(tracker, tracker->stages[STAGE_ABSENT]);
	leave_tables(tracker, query);
	move(tracker, query, STAGE_ABSENT);
	query->answered = now;
	if (known)
		tell(tracker, query);
}

bool dns_tracker_answer(struct dns_tracker *tracker, const struct dns_sighting *sighting)
{
	const struct dns_message *message = sighting->message;
	struct query_key key;
	size_t name_length = key_set(&key, sighting);
	struct query *query;

	dns_tracker_advance(tracker, sighting->time);
	query = find_query(tracker, &key, name_length);
	if (!query)
		return false;
	if (query->stage == STAGE_EXPIRED) { /* too late: it was told as one that timed out */
		forget(tracker, query);
		return false;
	}
	query->lookup.duration = since(query->lookup.asked, sighting->time);
	query->lookup.code = message->code;
	query->lookup.truncated = message->truncated;
	if (message->code == DNS_CODE_NXDOMAIN) {
		wait_for_search(tracker, query, sighting->time);
		return true;
	}
	query->lookup.search = 0; /* the name exists: it is what it is */
	tell(tracker, query);
	forget(tracker, query);
	return true;
}

/* --- time --- */

static void time_out(struct dns_tracker *tracker, struct query *query)
{
	query->lookup.timed_out = true;
	query->lookup.duration = DNS_TIMEOUT_NS;
	query->lookup.search = 0;
	move(tracker, query, STAGE_EXPIRED);
	tell(tracker, query);
	query->lookup.timed_out = false;
}

void dns_tracker_advance(struct dns_tracker *tracker, uint64_t now)
{
	struct query *query;

	while ((query = tracker->stages[STAGE_OPEN]) &&
	       since(query->lookup.asked, now) >= DNS_TIMEOUT_NS)
		time_out(tracker, query);
	while ((query = tracker->stages[STAGE_EXPIRED]) &&
	       since(query->lookup.asked, now) >= DNS_MEMORY_NS)
		forget(tracker, query);
	while ((query = tracker->stages[STAGE_ABSENT]) &&
	       since(query->answered, now) >= DNS_SEARCH_NS)
		forget(tracker, query);
}

/* --- a tracker's life --- */

struct dns_tracker *dns_tracker_new(const char *namespace, struct dns_budget *budget,
				    dns_tracker_tell *tell_lookup, void *context)
{
	struct dns_tracker *tracker = calloc(1, sizeof(*tracker));

	if (!tracker)
		return NULL;
	tracker->budget = budget;
	tracker->tell = tell_lookup;
	tracker->context = context;
	tracker->namespace = namespaces_join(&budget->namespaces, namespace);
	return tracker->namespace ? tracker : dns_tracker_free(tracker);
}

struct dns_tracker *dns_tracker_free(struct dns_tracker *tracker)
{
	if (!tracker)
		return NULL;
	for (int stage = 0; stage < STAGES; stage++)
		while (tracker->stages[stage])
			forget(tracker, tracker->stages[stage]);
	namespaces_leave(&tracker->budget->namespaces, tracker->namespace);
	free(tracker);
	return NULL;
}

uint64_t dns_tracker_forgotten(const struct dns_tracker *tracker)
{
	return tracker->forgotten;
}
