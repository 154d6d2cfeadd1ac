/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Variables that release what they hold when they go out of scope. */
#ifndef SKEP_LIB_BASE_CLEANUP_H
#define SKEP_LIB_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cjson/cJSON.h>

static inline void cleanup_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_descriptor(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

static inline void cleanup_close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static inline void cleanup_delete_json(cJSON **json)
{
	cJSON_Delete(*json);
}

#define cleanup_free	  __attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_close	  __attribute__((cleanup(cleanup_close_descriptor)))
#define cleanup_file	  __attribute__((cleanup(cleanup_close_file)))
#define cleanup_directory __attribute__((cleanup(cleanup_close_directory)))
#define cleanup_json	  __attribute__((cleanup(cleanup_delete_json)))

/* Hands the value of a cleanup variable on: reads it and empties the variable. */
#define take_pointer(variable)                                                                     \
	({                                                                                         \
		__typeof__(variable) taken_ = (variable);                                          \
		(variable) = NULL;                                                                 \
		taken_;                                                                            \
	})

#define take_descriptor(variable)                                                                  \
	({                                                                                         \
		int taken_ = (variable);                                                           \
		(variable) = -1;                                                                   \
		taken_;                                                                            \
	})

#endif
