// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * First the templates are put into a tree, by segment; then each set of the tree's nodes in which
 * some path can be after as many segments becomes one node of the kernel's.
 */

#include "node-agent/probes/http_templates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"

#include "bpf/lib/http_route_hash.h"

/* --- the tree --- */

/* A segment takes two bytes of text at least. */
#define TREE_LIMIT (HTTP_ROUTES_TEXT_LIMIT / 2 + 1)

struct tree_node {
	uint64_t literal;  /* hash of the segment that leads here */
	uint32_t route;	   /* that ends here; 0: none */
	uint16_t children; /* literal ones: the first; 0: none */
	uint16_t next;	   /* of the same parent */
	uint16_t any;	   /* {name}; 0: none */
	uint16_t rest;	   /* {name...}; 0: none */
	bool stays;	   /* this is a rest: whatever follows, it leads here again */
};

struct tree {
	struct tree_node *nodes; /* [0] is the root */
	uint16_t count;
};

static uint16_t tree_add(struct tree *tree, uint64_t literal)
{
	tree->nodes[tree->count] = (struct tree_node){.literal = literal};
	return tree->count++;
}

static uint16_t tree_find_literal(const struct tree *tree, uint16_t node, uint64_t literal)
{
	uint16_t child = tree->nodes[node].children;

	while (child && tree->nodes[child].literal != literal)
		child = tree->nodes[child].next;
	return child;
}

static uint16_t tree_literal(struct tree *tree, uint16_t node, uint64_t literal)
{
	uint16_t child = tree_find_literal(tree, node, literal);

	if (child)
		return child;
	child = tree_add(tree, literal);
	tree->nodes[child].next = tree->nodes[node].children;
	tree->nodes[node].children = child;
	return child;
}

static uint16_t tree_wildcard(struct tree *tree, uint16_t node, bool rest)
{
	uint16_t *place = rest ? &tree->nodes[node].rest : &tree->nodes[node].any;

	if (!*place)
		*place = tree_add(tree, 0);
	tree->nodes[*place].stays = rest;
	return *place;
}

static uint64_t hash_of(const char *segment, size_t size)
{
	uint64_t hash = HTTP_ROUTE_HASH_START;

	for (size_t i = 0; i < size; i++)
		hash = http_route_hash_byte(hash, (uint8_t)segment[i]);
	return hash;
}

/* Of two templates that take the same paths, the first one is the route. */
static void tree_insert(struct tree *tree, const char *template, uint32_t route)
{
	const char *segment = template;
	uint16_t node = 0;

	while (*segment == '/' && segment[1]) {
		size_t size = strcspn(++segment, "/");

		if (segment[0] == '{')
			node = tree_wildcard(tree, node, segment[size - 2] == '.');
		else
			node = tree_literal(tree, node, hash_of(segment, size));
		segment += size;
	}
	if (!tree->nodes[node].route)
		tree->nodes[node].route = route;
}

/* --- sets of its nodes --- */

#define MEMBERS_LIMIT 32   /* of a set: templates that are followed at once */
#define SETS_LIMIT    8192 /* node numbers are 16 bits wide */

struct set {
	uint16_t members[MEMBERS_LIMIT]; /* what goes before comes first; 0: no more */
	uint16_t number;		 /* the kernel's node */
	struct set *next;		 /* to be expanded after this one */
	UT_hash_handle hh;
};

struct compilation {
	struct tree tree;
	struct set *sets; /* by members */
	struct set *last;
	uint16_t count;
	struct http_templates *result;
};

/* What comes last in the order goes where there are too many. */
static void set_add(struct set *set, size_t *count, uint16_t node, struct http_templates *result)
{
	if (!node)
		return;
	if (*count == MEMBERS_LIMIT)
		result->truncated = true;
	else
		set->members[(*count)++] = node;
}

/* Where `set` leads with one more segment; HTTP_STEP_ANY: one that no template names. */
static struct set set_after(const struct compilation *compilation, const struct set *set,
			    uint64_t segment, bool root)
{
	const struct tree *tree = &compilation->tree;
	struct set after = {0};
	size_t count = 0;

	for (size_t i = 0; i < MEMBERS_LIMIT && (set->members[i] || (root && i == 0)); i++) {
		uint16_t node = set->members[i];

		if (tree->nodes[node].stays)
			set_add(&after, &count, node, compilation->result);
		if (segment != HTTP_STEP_ANY)
			set_add(&after, &count, tree_find_literal(tree, node, segment),
				compilation->result);
		set_add(&after, &count, tree->nodes[node].any, compilation->result);
		set_add(&after, &count, tree->nodes[node].rest, compilation->result);
	}
	return after;
}

/* The set itself, in its place in the queue when it is new; NULL: no memory, or no room. */
static struct set *set_ensure(struct compilation *compilation, const struct set *wanted)
{
	struct set *set;

	HASH_FIND(hh, compilation->sets, wanted->members, sizeof(wanted->members), set);
	if (set || compilation->count == SETS_LIMIT)
		return set;
	set = calloc(1, sizeof(*set));
	if (!set)
		return NULL;
	memcpy(set->members, wanted->members, sizeof(set->members));
	HASH_ADD(hh, compilation->sets, members, sizeof(set->members), set);
	if (!is_in_table(set)) {
		free(set);
		return NULL;
	}
	set->number = compilation->count++;
	if (compilation->last)
		compilation->last->next = set;
	compilation->last = set;
	return set;
}

static uint32_t set_route(const struct tree *tree, const struct set *set)
{
	for (size_t i = 0; i < MEMBERS_LIMIT && set->members[i]; i++)
		if (tree->nodes[set->members[i]].route)
			return tree->nodes[set->members[i]].route;
	return 0;
}

static uint16_t set_flags(const struct tree *tree, const struct set *set)
{
	uint16_t flags = 0;

	for (size_t i = 0; i < MEMBERS_LIMIT && set->members[i]; i++) {
		const struct tree_node *node = &tree->nodes[set->members[i]];

		if (node->children)
			flags |= HTTP_STEP_LITERALS;
		if (node->any || node->rest || node->stays)
			flags |= HTTP_STEP_WILDCARD;
	}
	return flags;
}

/* --- steps --- */

static bool steps_contain(const struct http_templates *templates, size_t first, uint64_t segment)
{
	for (size_t i = first; i < templates->count; i++)
		if (templates->steps[i].segment == segment)
			return true;
	return false;
}

static int add_step(struct compilation *compilation, const struct set *from, uint64_t segment)
{
	struct http_templates *result = compilation->result;
	struct set after = set_after(compilation, from, segment, from->number == 0);
	const struct set *to;

	if (!after.members[0])
		return 0;
	if (result->count == HTTP_TEMPLATES_STEPS_LIMIT) {
		result->truncated = true;
		return 0;
	}
	to = set_ensure(compilation, &after);
	if (!to && compilation->count < SETS_LIMIT)
		return -ENOMEM;
	if (!to) {
		result->truncated = true;
		return 0;
	}
	result->steps[result->count++] = (struct http_template_step){
		.segment = segment,
		.from = from->number,
		.step = {.node = to->number,
			 .flags = set_flags(&compilation->tree, to),
			 .route = set_route(&compilation->tree, to)},
	};
	return 0;
}

/* All steps from one set: its literal segments, each once, and any other one. */
static int expand(struct compilation *compilation, const struct set *set)
{
	const struct tree_node *nodes = compilation->tree.nodes;
	size_t first = compilation->result->count;
	int result = add_step(compilation, set, HTTP_STEP_ANY);

	for (size_t i = 0; i < MEMBERS_LIMIT && (set->members[i] || (!set->number && i == 0)); i++)
		for (uint16_t child = nodes[set->members[i]].children; child && result == 0;
		     child = nodes[child].next)
			if (!steps_contain(compilation->result, first, nodes[child].literal))
				result = add_step(compilation, set, nodes[child].literal);
	return result;
}

static int compile(struct compilation *compilation)
{
	const struct set root = {0};
	struct set *set = set_ensure(compilation, &root);
	int result = set ? 0 : -ENOMEM;

	for (; set && result == 0; set = set->next)
		result = expand(compilation, set);
	return result;
}

static void free_sets(struct compilation *compilation)
{
	struct set *set, *next;

	HASH_ITER(hh, compilation->sets, set, next) {
		HASH_DEL(compilation->sets, set);
		free(set);
	}
}

/* The result takes no more room than its steps do. */
static void trim(struct http_templates *templates)
{
	struct http_template_step *steps =
		realloc(templates->steps, (templates->count + 1) * sizeof(*steps));

	if (steps)
		templates->steps = steps;
}

int http_templates_compile(const struct http_routes *routes, uint32_t first,
			   struct http_templates *ret_templates)
{
	struct http_templates templates = {0};
	struct compilation compilation = {.result = &templates, .tree.count = 1};
	int result = -ENOMEM;

	compilation.tree.nodes = calloc(TREE_LIMIT, sizeof(struct tree_node));
	templates.steps = calloc(HTTP_TEMPLATES_STEPS_LIMIT, sizeof(*templates.steps));
	if (compilation.tree.nodes && templates.steps) {
		for (size_t i = 0; i < routes->count; i++)
			tree_insert(&compilation.tree, routes->items[i], first + (uint32_t)i);
		templates.root = compilation.tree.nodes[0].route;
		result = compile(&compilation);
	}
	free_sets(&compilation);
	free(compilation.tree.nodes);
	if (result < 0) {
		http_templates_free(&templates);
		return result;
	}
	trim(&templates);
	*ret_templates = templates;
	return 0;
}

void http_templates_free(struct http_templates *templates)
{
	free(templates->steps);
	*templates = (struct http_templates){0};
}
