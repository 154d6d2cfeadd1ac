/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What makes the compiler write code that the kernel's verifier can follow. */
#ifndef SKEP_BPF_LIB_VERIFIER_H
#define SKEP_BPF_LIB_VERIFIER_H

/*
 * The compiler forgets what it knows of a variable. Without it, clang bounds one register and uses
 * a copy of it, of which the verifier does not know that it is the same (seen with clang 14, kernel
 * 6.18).
 */
#define verifier_forget(variable) asm volatile("" : "+r"(variable))

/*
 * Whether a size is not 0, and at most so large. Both are compared, one after the other, as the
 * compiler would make one comparison of them, of another register; and "more than 0" rather than
 * "not 0", of which kernel 6.1 learns nothing.
 */
#define verifier_has_size(size, limit)                                                             \
	({                                                                                         \
		verifier_forget(size);                                                             \
		(size) <= (limit) && ({                                                            \
			verifier_forget(size);                                                     \
			(__s32)(size) > 0;                                                         \
		});                                                                                \
	})

#endif
