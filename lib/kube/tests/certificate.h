/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Certificates for tests. */
#ifndef SKEP_LIB_KUBE_TESTS_CERTIFICATE_H
#define SKEP_LIB_KUBE_TESTS_CERTIFICATE_H

/*
 * Writes a new key and a certificate for 127.0.0.1, signed by itself, into one PEM file, with which
 * one can serve and which one can trust.
 */
void write_certificate(const char *path, int serial);

#endif
