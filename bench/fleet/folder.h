/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The folder of a run: tokens and CA of agents, kubeconfig and log of the operator. */
#ifndef SKEP_BENCH_FLEET_FOLDER_H
#define SKEP_BENCH_FLEET_FOLDER_H

/* Writes a file of it. Ends the program where that fails, as do the others. */
void folder_write(const char *folder, const char *name, const char *text);

/* Makes one, whose name is written to `folder`, of this size; and removes it. */
#define FOLDER_SIZE 64
void folder_make(char folder[FOLDER_SIZE]);
void folder_remove(const char *folder);

#endif
