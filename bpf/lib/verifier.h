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

#endif
