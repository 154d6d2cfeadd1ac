/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The paths of list and watch requests
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/). `path` is that of the collection,
 * `query` NULL or further parameters, already encoded. Each returns the path, which the caller
 * frees, or NULL when memory ran out. Pure.
 */
#ifndef SKEP_LIB_KUBE_COLLECTION_PATH_H
#define SKEP_LIB_KUBE_COLLECTION_PATH_H

/* A page of at most `limit` objects; `token` is the continue token of the page before, or NULL. */
char *collection_list_path(const char *path, const char *query, unsigned int limit,
			   const char *token);

/* What comes after `resource_version`, for `timeout_seconds`. */
char *collection_watch_path(const char *path, const char *query, const char *resource_version,
			    unsigned int timeout_seconds);

#endif
