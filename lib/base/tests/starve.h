/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Allocations that fail on demand. The functions here take the place of those of the C library in
 * the whole test program (symbols of a program come first); the memory is AddressSanitizer's, which
 * goes on finding leaks and misuse. To be included by one file of a program.
 */
#ifndef SKEP_LIB_BASE_TESTS_STARVE_H
#define SKEP_LIB_BASE_TESTS_STARVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Allocations that still succeed, while starving is on. */
static unsigned int starve_left;
static bool starve_on;
static bool starve_hit; /* an allocation was refused */

void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *pointer, size_t size);

static bool starve_refuses(void)
{
	if (!starve_on)
		return false;
	if (starve_left == 0)
		starve_hit = true;
	else
		starve_left--;
	return starve_hit;
}

void *malloc(size_t size)
{
	return starve_refuses() ? NULL : __interceptor_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return starve_refuses() ? NULL : __interceptor_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
	return starve_refuses() ? NULL : __interceptor_realloc(pointer, size);
}

void *reallocarray(void *pointer, size_t count, size_t size)
{
	return starve_refuses() ? NULL : __interceptor_realloc(pointer, count * size);
}

char *strndup(const char *string, size_t limit)
{
	size_t length = strnlen(string, limit);
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	memcpy(copy, string, length);
	copy[length] = '\0';
	return copy;
}

char *strdup(const char *string)
{
	return strndup(string, strlen(string));
}

/*
 * Calls `work` again and again, refusing every allocation from the first on, then from the second
 * on, and so forth, until it needs no more than it gets. `work` returns whether it succeeded, and
 * must say no when it was refused something. Returns the number of allocations that it takes.
 */
static unsigned int starve(bool (*work)(void *context), void *context)
{
	for (unsigned int allowed = 0;; allowed++) {
		bool done;

		starve_left = allowed;
		starve_hit = false;
		starve_on = true;
		done = work(context);
		starve_on = false;
		if (!starve_hit && done)
			return allowed;
		if (starve_hit == done)
			return 0;
	}
}

#endif
