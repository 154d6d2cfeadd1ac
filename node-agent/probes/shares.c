// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/shares.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "node-agent/probes/programs.h"

struct shares shares_init(void)
{
	return (struct shares){.map = -1};
}

static int add_rows(const struct shares *shares, uint32_t namespace)
{
	static const struct share_row nothing;
	struct share_key key = {.namespace = namespace};

	for (key.side = SHARE_TAKEN; key.side <= SHARE_RETURNED; key.side++)
		if (bpf_map_update_elem(shares->map, &key, &nothing, BPF_NOEXIST))
			return -errno;
	return 0;
}

static void remove_rows(const struct shares *shares, uint32_t namespace)
{
	struct share_key key = {.namespace = namespace};

	for (key.side = SHARE_TAKEN; key.side <= SHARE_RETURNED; key.side++)
		(void)bpf_map_delete_elem(shares->map, &key); /* fails where it is not: well */
}

int shares_open(const struct shares *shares, struct error *error)
{
	int result = add_rows(shares, SHARE_NODE);

	return result < 0 ? error_set_errno(error, -result, "begin to count shares") : 0;
}

void shares_close(struct shares *shares)
{
	programs_close(&shares->map);
}

int shares_join(struct shares *shares, const char *name, struct namespace **ret_namespace,
		struct error *error)
{
	struct namespace *namespace = namespaces_join(&shares->namespaces, name);
	int result;

	if (!namespace)
		return error_set(error, ENOMEM, "count the share of namespace %s: no memory", name);
	result = namespace->users > 1 ? 0 : add_rows(shares, namespace->number);
	if (result < 0) {
		shares_leave(shares, namespace);
		return error_set_errno(error, -result, "count the share of namespace %s", name);
	}
	*ret_namespace = namespace;
	return 0;
}

void shares_leave(struct shares *shares, struct namespace *namespace)
{
	if (namespace && namespace->users == 1)
		remove_rows(shares, namespace->number);
	namespaces_leave(&shares->namespaces, namespace);
}

/* Nobody else writes this side. A namespace that has gone has no row any more. */
static void add_returned(const struct shares *shares, uint32_t namespace, uint32_t table)
{
	const struct share_key key = {.namespace = namespace, .side = SHARE_RETURNED};
	struct share_row row;

	if (bpf_map_lookup_elem(shares->map, &key, &row))
		return;
	row.places[table]++;
	(void)bpf_map_update_elem(shares->map, &key, &row, BPF_EXIST); /* as it is there */
}

void shares_return(const struct shares *shares, uint32_t namespace, uint32_t table)
{
	add_returned(shares, namespace, table);
	add_returned(shares, SHARE_NODE, table);
}
