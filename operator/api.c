// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/http/server.h"
#include "lib/net/context.h"
#include "operator/access.h"
#include "operator/api_query.h"
#include "operator/graph.h"
#include "operator/leader_slice.h"

struct api {
	struct net_context *net; /* its own: see struct http_server_settings */
	struct http_server *server;
	struct access *access;
	const struct cluster *cluster;
	const struct edges *edges;
	const struct leader *leader;
	struct asking *askings;
	size_t count;
};

/* A request while the API server is asked about it. */
struct asking {
	struct api *api;
	struct http_request *request;
	char *namespace; /* that it is narrowed to, or NULL */
	cJSON *user;	 /* who asks, once that is known */
	struct asking *prev, *next;
};

static void answer_error(struct http_request *request, int status, const char *what)
{
	cleanup_json cJSON *json = cJSON_CreateObject();
	cleanup_free char *printed = NULL;
	struct text body = TEXT_EMPTY;

	if (cJSON_AddStringToObject(json, "error", what))
		printed = cJSON_PrintUnformatted(json);
	text_append_format(&body, "%s\n", printed ? printed : "{\"error\":\"out of memory\"}");
	http_request_answer(request, status, &body);
}

/* Takes the request out; it is the caller's to answer. */
static struct http_request *end(struct asking *asking)
{
	struct http_request *request = asking->request;

	DL_DELETE(asking->api->askings, asking);
	asking->api->count--;
	free(asking->namespace);
	cJSON_Delete(asking->user);
	free(asking);
	return request;
}

static void refuse(struct asking *asking, int status, const char *what)
{
	answer_error(end(asking), status, what);
}

static void refuse_for_failure(struct asking *asking, const char *why)
{
	log_warn("a request for edges is not answered: %s", why);
	refuse(asking, 503,
	       "the API server could not be asked who you are and what you may see; try again "
	       "(the operator's log says why)");
}

static bool may_see(void *view, const char *namespace)
{
	return access_view_has(view, namespace);
}

static int write_graph(const struct asking *asking, const struct access_view *view,
		       struct text *body)
{
	const struct api *api = asking->api;
	time_t now = time(NULL);
	char generated_at[32];
	struct graph graph;
	struct tm utc;
	int result = graph_make(api->edges, api->cluster, asking->namespace, &graph);

	if (result < 0)
		return result;
	strftime(generated_at, sizeof(generated_at), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	result = graph_write(&graph, generated_at, may_see, (void *)view, body);
	graph_free(&graph);
	return result;
}

/* What came since the rights were asked about is hidden where they do not say otherwise. */
static void answer(struct asking *asking, const struct access_view *view)
{
	struct text body = TEXT_EMPTY;

	if (write_graph(asking, view, &body) < 0) {
		text_free(&body);
		refuse(asking, 503,
		       "the operator is short of memory; narrow the answer with "
		       "?namespace=NAME, or try again");
		return;
	}
	http_request_answer(end(asking), 200, &body);
}

static void refuse_namespace(struct asking *asking)
{
	struct error error;

	error_set(
		&error, EPERM,
		"%s may not get observabilitypolicies.skep.dev in namespace %s; ask whoever rules "
		"it for the role \"view\"",
		json_text(asking->user, "username"), asking->namespace);
	refuse(asking, 403, error.message);
}

/* The namespaces that the answer speaks of. */
static int list_namespaces(const struct asking *asking, struct strings *namespaces)
{
	struct graph graph;
	int result =
		graph_make(asking->api->edges, asking->api->cluster, asking->namespace, &graph);

	if (result < 0)
		return result;
	result = graph_namespaces(&graph, namespaces);
	graph_free(&graph);
	return result;
}

static void on_checked(void *context, enum access_outcome outcome, const struct access_view *view,
		       const char *why)
{
	struct asking *asking = context;
	struct error error;

	switch (outcome) {
	case ACCESS_ANSWERED:
		if (asking->namespace && !access_view_has(view, asking->namespace))
			refuse_namespace(asking);
		else
			answer(asking, view);
		return;
	case ACCESS_TOO_MUCH:
		error_set(&error, EINVAL,
			  "the edges are in more than %d namespaces, about which you would have to "
			  "be asked one by one; narrow the answer with ?namespace=NAME",
			  ACCESS_NAMESPACES_LIMIT);
		refuse(asking, 400, error.message);
		return;
	default:
		refuse_for_failure(asking, why);
	}
}

/*
 * Who has the right to the whole cluster need not be asked about what is in it. Who may not see the
 * namespace that they name is not answered any later for what is in it.
 */
static void on_first_checked(void *context, enum access_outcome outcome,
			     const struct access_view *view, const char *why)
{
	struct asking *asking = context;
	struct strings namespaces = {0};

	if (outcome != ACCESS_ANSWERED || view->all ||
	    (asking->namespace && !access_view_has(view, asking->namespace)))
		on_checked(asking, outcome, view, why);
	else if (list_namespaces(asking, &namespaces) < 0)
		refuse_for_failure(asking, "out of memory");
	else
		access_check(asking->api->access, asking->user, &namespaces, asking->namespace,
			     on_checked, asking);
	strings_free(&namespaces);
}

/* How many requests of the same user are being answered, this one included. */
static size_t count_of_user(const struct asking *asking)
{
	const char *username = json_text(asking->user, "username");
	const struct asking *other;
	size_t count = 0;

	DL_FOREACH(asking->api->askings, other)
		count += other->user && strcmp(json_text(other->user, "username"), username) == 0;
	return count;
}

static void check(struct asking *asking)
{
	static const struct strings none;

	if (count_of_user(asking) > API_USER_REQUESTS_LIMIT)
		refuse(asking, 429, "many requests of yours are being answered; wait for them");
	else
		access_check(asking->api->access, asking->user, &none, asking->namespace,
			     on_first_checked, asking);
}

static void on_identified(void *context, enum access_outcome outcome, const cJSON *user,
			  const char *why)
{
	struct asking *asking = context;
	struct error error;

	if (outcome == ACCESS_ANSWERED) {
		asking->user = cJSON_Duplicate(user, true);
		check(asking);
	} else if (outcome == ACCESS_REFUSED) {
		error_set(&error, EPERM,
			  "the token does not hold (%.200s); send one of this cluster", why);
		refuse(asking, 401, error.message);
	} else {
		refuse_for_failure(asking, why);
	}
}

static struct asking *begin(struct api *api, struct http_request *request, const char *namespace)
{
	struct asking *asking = calloc(1, sizeof(*asking));

	if (asking && namespace)
		asking->namespace = strdup(namespace);
	if (!asking || (namespace && !asking->namespace)) {
		free(asking);
		return NULL;
	}
	asking->api = api;
	asking->request = request;
	DL_APPEND(api->askings, asking);
	api->count++;
	return asking;
}

static void refuse_standing_by(const struct leader *leader, struct http_request *request)
{
	char name[256];
	struct error error;

	leader_name(leader, name, sizeof(name));
	error_set(&error, EAGAIN,
		  "this operator stands by; ask the one that leads (%s), which Service %s leads to",
		  *name ? name : "none at this moment", LEADER_SERVICE);
	answer_error(request, 503, error.message);
}

static void on_edges(void *context, struct http_request *request)
{
	struct api *api = context;
	const char *token = api_bearer_token(http_request_authorization(request));
	const char *namespace;
	struct asking *asking;
	struct error error;

	if (!token) {
		answer_error(request, 401,
			     "no token; send \"Authorization: Bearer <token>\" with a "
			     "token of this cluster");
		return;
	}
	if (api_query_namespace(http_request_query(request), &namespace, &error) < 0) {
		answer_error(request, 400, error.message);
		return;
	}
	if (!leader_is_leading(api->leader)) {
		refuse_standing_by(api->leader, request);
		return;
	}
	if (api->count >= API_REQUESTS_LIMIT) {
		answer_error(request, 429,
			     "many requests are being answered; try again in a second");
		return;
	}
	asking = begin(api, request, namespace);
	if (asking)
		access_identify(api->access, token, on_identified, asking);
	else
		answer_error(request, 503, "the operator is short of memory; try again");
}

static int start(struct api *api, uv_loop_t *loop, struct kube_client *client,
		 const struct api_settings *settings, const struct pki_bundle *bundle,
		 struct error *error)
{
	const struct http_receiver receiver = {"/api/v1/edges", HTTP_JSON, on_edges, api};
	const struct http_server_settings server = {
		.address = settings->address,
		.port = settings->port,
		.certificate_pem = bundle->certificate,
		.key_pem = bundle->key,
		.receivers = &receiver,
		.receiver_count = 1,
	};
	int result = access_new(client, loop, &api->access, error);

	if (result == 0)
		result = net_context_new(loop, 2 * API_CONNECTIONS_LIMIT, &api->net, error);
	if (result == 0)
		result = http_server_new_with(api->net, &server, &api->server, error);
	return result;
}

int api_new(uv_loop_t *loop, struct kube_client *client, const struct api_settings *settings,
	    const struct pki_bundle *bundle, const struct cluster *cluster,
	    const struct edges *edges, const struct leader *leader, struct api **ret_api,
	    struct error *error)
{
	struct api *api = calloc(1, sizeof(*api));
	int result;

	if (!api)
		return error_set(error, ENOMEM, "out of memory");
	api->cluster = cluster;
	api->edges = edges;
	api->leader = leader;
	result = start(api, loop, client, settings, bundle, error);
	if (result < 0) {
		api_free(api);
		return result;
	}
	*ret_api = api;
	return 0;
}

int api_set_certificate(struct api *api, const struct pki_bundle *bundle, struct error *error)
{
	return http_server_set_certificate(api->server, bundle->certificate, bundle->key, error);
}

struct api *api_free(struct api *api)
{
	struct asking *asking, *next;

	if (!api)
		return NULL;
	api->server = http_server_free(api->server);
	DL_FOREACH_SAFE(api->askings, asking, next) {
		refuse(asking, 503, "the operator ends");
	}
	api->access = access_free(api->access);
	api->net = net_context_free(api->net);
	free(api);
	return NULL;
}
