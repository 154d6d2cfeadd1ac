/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Allocations that fail on demand. The functions here take the place of those of the C library in
 * the whole test program (symbols of a program come first); the memory is AddressSanitizer's, which
 * goes on finding leaks and misuse. To be included by one file of a program.
 */
#ifndef SKEP_LIB_BASE_TESTS_STARVE_H
#define SKEP_LIB_BASE_TESTS_STARVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sanitizer/lsan_interface.h>

/* What is refused, while starving is on: one allocation, or that and all after it. */
enum starve_round { STARVE_ONE, STARVE_ALL, STARVE_ROUNDS };

static enum starve_round starve_round;
static unsigned int starve_left; /* allocations that still succeed */
static bool starve_on;
static bool starve_calling; /* this call of the work is one that is starved */
static bool starve_hit;	    /* an allocation was refused */

void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *pointer, size_t size);

static bool starve_refuses(void)
{
	if (!starve_on)
		return false;
	if (starve_left > 0) {
		starve_left--;
		return false;
	}
	if (starve_hit && starve_round == STARVE_ONE)
		return false;
	starve_hit = true;
	return true;
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

/* That of the C library shrinks what it wrote, and does without where that is refused. */
int vasprintf(char **ret_string, const char *format, va_list arguments)
{
	va_list again;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	*ret_string = length < 0 ? NULL : malloc((size_t)length + 1);
	return *ret_string ? vsprintf(*ret_string, format, arguments) : -1;
}

int asprintf(char **ret_string, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(ret_string, format, arguments);
	va_end(arguments);
	return length;
}

/* Memory is back within this call of the work, to make ready, or to look at what is left. */
static inline void starve_pause(void)
{
	starve_on = false;
}

static inline void starve_resume(void)
{
	starve_on = starve_calling;
}

/* Calls the work with `allowed` allocations; returns whether it was refused one. */
static bool starve_call(bool (*work)(void *context), void *context, unsigned int allowed,
			bool *ret_done)
{
	starve_left = allowed;
	starve_hit = false;
	starve_on = starve_calling = true;
	*ret_done = work(context);
	starve_on = starve_calling = false;
	return starve_hit;
}

/* Starves the work in one round; returns how many allocations it takes. */
static unsigned int starve_through(const char *name, bool (*work)(void *context), void *context,
				   bool degrades)
{
	unsigned int allowed = 0;
	bool done;

	while (starve_call(work, context, allowed, &done)) {
		if (done && !degrades)
			fail_msg("%s: succeeds without allocation %u", name, allowed + 1);
		if (!work(context))
			fail_msg("%s: fails for good after allocation %u was refused", name,
				 allowed + 1);
		allowed++;
	}
	if (!done)
		fail_msg("%s: fails, though nothing was refused", name);
	return allowed;
}

static inline unsigned int starve_work(const char *name, bool (*work)(void *context), void *context,
				       bool degrades)
{
	unsigned int refused[STARVE_ROUNDS];

	if (!work(context))
		fail_msg("%s: fails, though nothing was refused", name);
	for (starve_round = STARVE_ONE; starve_round < STARVE_ROUNDS; starve_round++)
		refused[starve_round] = starve_through(name, work, context, degrades);
	if (__lsan_do_recoverable_leak_check())
		fail_msg("%s: leaks when an allocation is refused", name);
	printf("%s: %u allocations refused one by one, %u with all after them\n", name,
	       refused[STARVE_ONE], refused[STARVE_ALL]);
	return refused[STARVE_ALL];
}

/*
 * Calls `work` again and again, each time with another allocation refused, the first one to the
 * last, and then with all after that refused as well. `work` returns whether it succeeded: it must
 * not when it was refused something, and must in a second call without that. It leaves nothing
 * behind that it does not find again. Fails the test otherwise, and for leaks; returns how many
 * allocations the work takes.
 */
#define starve(work, context) starve_work(#work, (work), (context), false)

/* As starve(), of work that may succeed, with less, when it is refused something. */
#define starve_degrading(work, context) starve_work(#work, (work), (context), true)

#endif
