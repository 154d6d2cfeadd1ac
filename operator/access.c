// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "lib/kube/access_review.h"
#include "lib/kube/token_review.h"
#include "operator/review_cache.h"

/*
 * Dropping the oldest would else make each answer go before it is asked for again, where the
 * namespaces that somebody asks about are one too many.
 */
_Static_assert(REVIEW_CACHE_LIMIT > 4 * (ACCESS_NAMESPACES_LIMIT + 2),
	       "the answers of some callers must fit");

struct access {
	struct kube_client *client;
	uv_loop_t *loop;
	struct review_cache cache;
	struct identification *identifications; /* under way */
	struct check *checks;			/* likewise */
};

struct identification {
	struct access *access;
	struct review_key key;
	access_identified handler;
	void *context;
	struct identification *prev, *next;
};

/* A question about one namespace ("": about all of them). */
struct question {
	struct check *check;
	const char *namespace;
	struct review_key key;
};

struct check {
	struct access *access;
	cJSON *user;
	char *user_text;
	struct strings namespaces;
	struct question *questions; /* the first one about all, then one for each namespace */
	size_t next_question;
	size_t alone;	    /* how many of them are asked one after the other */
	const char *needed; /* without the right to this namespace nothing else is asked, or NULL */
	size_t under_way;
	struct access_view view;
	bool failed;   /* a question was not answered */
	char *failure; /* why; NULL without memory for it */
	access_checked handler;
	void *context;
	struct check *prev, *next;
};

int access_new(struct kube_client *client, uv_loop_t *loop, struct access **ret_access,
	       struct error *error)
{
	struct access *access = calloc(1, sizeof(*access));

	if (!access)
		return error_set(error, ENOMEM, "out of memory");
	access->client = client;
	access->loop = loop;
	*ret_access = access;
	return 0;
}

/* Tokens. */

static void on_token_reviewed(void *context, const struct kube_token_owner *owner,
			      const char *refusal, bool answered)
{
	struct identification *identification = context;
	struct access *access = identification->access;
	enum access_outcome outcome = ACCESS_ANSWERED;

	if (!owner)
		outcome = answered ? ACCESS_REFUSED : ACCESS_FAILED;
	if (answered)
		review_cache_keep(&access->cache, &identification->key, owner,
				  owner ? owner->user : NULL, refusal, uv_now(access->loop));
	DL_DELETE(access->identifications, identification);
	identification->handler(identification->context, outcome, owner ? owner->user : NULL,
				refusal);
	free(identification);
}

static void ask_for_owner(struct access *access, const char *token, const struct review_key *key,
			  access_identified handler, void *context)
{
	struct identification *identification = calloc(1, sizeof(*identification));
	struct error error = {"out of memory"};

	if (identification) {
		*identification = (struct identification){
			.access = access, .key = *key, .handler = handler, .context = context};
		if (kube_token_review(access->client, token, "", on_token_reviewed, identification,
				      &error) == 0) {
			DL_APPEND(access->identifications, identification);
			return;
		}
		free(identification);
	}
	handler(context, ACCESS_FAILED, NULL, error.message);
}

void access_identify(struct access *access, const char *token, access_identified handler,
		     void *context)
{
	const struct review_key key = review_key_of_token(token);
	const struct review *known = review_cache_find(&access->cache, &key, uv_now(access->loop));

	if (known)
		handler(context, known->good ? ACCESS_ANSWERED : ACCESS_REFUSED, known->user,
			known->why);
	else
		ask_for_owner(access, token, &key, handler, context);
}

/* Rights. */

static int compare_names(const void *name, const void *item)
{
	return strcmp(name, *(const char *const *)item);
}

bool access_view_has(const struct access_view *view, const char *namespace)
{
	if (view->all)
		return true;
	return view->allowed.count && bsearch(namespace, view->allowed.items, view->allowed.count,
					      sizeof(view->allowed.items[0]), compare_names);
}

static void free_check(struct check *check)
{
	cJSON_Delete(check->user);
	free(check->user_text);
	strings_free(&check->namespaces);
	free(check->questions);
	strings_free(&check->view.allowed);
	free(check->failure);
	free(check);
}

static void finish(struct check *check, enum access_outcome outcome, const char *why)
{
	DL_DELETE(check->access->checks, check);
	strings_sort(&check->view.allowed);
	check->handler(check->context, outcome, outcome == ACCESS_ANSWERED ? &check->view : NULL,
		       why);
	free_check(check);
}

static void fail(struct check *check, const char *why)
{
	if (!check->failed)
		check->failure = strdup(why);
	check->failed = true;
}

static void take_answer(struct check *check, const struct question *question, bool allowed)
{
	if (!allowed)
		return;
	if (!*question->namespace)
		check->view.all = true;
	else if (strings_add(&check->view.allowed, question->namespace) < 0)
		fail(check, "out of memory");
}

static void go_on(struct check *check);

static void on_right_reviewed(void *context, bool allowed, const char *failure)
{
	struct question *question = context;
	struct check *check = question->check;
	struct access *access = check->access;

	check->under_way--;
	if (failure) {
		fail(check, failure);
	} else {
		review_cache_keep(&access->cache, &question->key, allowed, NULL, NULL,
				  uv_now(access->loop));
		take_answer(check, question, allowed);
	}
	go_on(check);
}

/*
 * What is known, if it may be used. That a needed namespace is denied is asked each time: answers
 * are kept of namespaces that have edges, so one that comes at once would tell that it has some.
 */
static const struct review *find_known(struct check *check, const struct question *question)
{
	struct access *access = check->access;
	const struct review *known =
		review_cache_find(&access->cache, &question->key, uv_now(access->loop));

	return known && (known->good || question->namespace != check->needed) ? known : NULL;
}

static void ask(struct check *check, struct question *question)
{
	struct access *access = check->access;
	const struct kube_access_question asked = {
		.user = check->user,
		.verb = "get",
		.group = "skep.dev",
		.resource = "observabilitypolicies",
		.namespace = question->namespace,
	};
	const struct review *known;
	struct error error;

	question->key = review_key_of_right(check->user_text, question->namespace);
	known = find_known(check, question);
	if (known)
		take_answer(check, question, known->good);
	else if (kube_access_review(access->client, &asked, on_right_reviewed, question, &error) <
		 0)
		fail(check, error.message);
	else
		check->under_way++;
}

/* Whether the namespace without which there is nothing to tell has been denied. */
static bool is_denied(const struct check *check)
{
	return check->needed && check->next_question == check->alone && !check->under_way &&
	       !check->view.allowed.count;
}

/* Whether the next question is to be asked now: not while one that goes alone is under way. */
static bool may_ask(const struct check *check)
{
	size_t most = check->next_question > check->alone ? ACCESS_AT_ONCE : 1;

	return !check->failed && !check->view.all && check->under_way < most &&
	       check->next_question <= check->namespaces.count && !is_denied(check);
}

/* Asks what is to be asked now; ends the check when there is nothing more. */
static void go_on(struct check *check)
{
	while (may_ask(check)) {
		if (check->next_question == check->alone &&
		    check->namespaces.count > ACCESS_NAMESPACES_LIMIT) {
			finish(check, ACCESS_TOO_MUCH, "too many namespaces");
			return;
		}
		ask(check, &check->questions[check->next_question++]);
	}
	if (check->under_way)
		return;
	if (check->failed)
		finish(check, ACCESS_FAILED, check->failure ? check->failure : "out of memory");
	else
		finish(check, ACCESS_ANSWERED, NULL);
}

static int add_question(struct check *check, const char *namespace)
{
	size_t place = check->namespaces.count;

	if (strings_add(&check->namespaces, namespace) < 0)
		return -ENOMEM;
	check->questions[place + 1] =
		(struct question){.check = check, .namespace = check->namespaces.items[place]};
	return 0;
}

/* The question about all, then that about the needed namespace, then the others. */
static int fill_questions(struct check *check, const struct strings *namespaces, const char *needed)
{
	int result = 0;

	check->questions[0] = (struct question){.check = check, .namespace = ""};
	check->alone = 1;
	if (needed) {
		result = add_question(check, needed);
		check->alone = 2;
		check->needed = check->questions[1].namespace;
	}
	for (size_t i = 0; i < namespaces->count && result == 0; i++)
		if (!needed || strcmp(namespaces->items[i], needed) != 0)
			result = add_question(check, namespaces->items[i]);
	return result;
}

static int fill_check(struct check *check, const cJSON *user, const struct strings *namespaces,
		      const char *needed)
{
	check->user = cJSON_Duplicate(user, true);
	check->user_text = cJSON_PrintUnformatted(user);
	check->questions = calloc(namespaces->count + 2, sizeof(*check->questions));
	if (!check->user || !check->user_text || !check->questions)
		return -ENOMEM;
	return fill_questions(check, namespaces, needed);
}

void access_check(struct access *access, const cJSON *user, const struct strings *namespaces,
		  const char *needed, access_checked handler, void *context)
{
	struct check *check = calloc(1, sizeof(*check));

	if (!check || fill_check(check, user, namespaces, needed) < 0) {
		if (check)
			free_check(check);
		handler(context, ACCESS_FAILED, NULL, "out of memory");
		return;
	}
	check->access = access;
	check->handler = handler;
	check->context = context;
	DL_APPEND(access->checks, check);
	go_on(check);
}

struct access *access_free(struct access *access)
{
	struct identification *identification, *next_identification;
	struct check *check, *next_check;

	if (!access)
		return NULL;
	DL_FOREACH_SAFE(access->identifications, identification, next_identification) {
		free(identification);
	}
	DL_FOREACH_SAFE(access->checks, check, next_check) {
		free_check(check);
	}
	review_cache_clear(&access->cache);
	free(access);
	return NULL;
}
