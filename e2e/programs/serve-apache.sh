#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# Starts Apache httpd with serve-apache.conf; its files are made first.
set -e
mkdir -p /tmp/apache/files
cd /tmp/apache/files
printf hello >hello
head -c 20000 /dev/zero >chunks
head -c 3000000 /dev/zero >large
PROGRAMS=$(dirname "$0")
export PROGRAMS
exec /usr/sbin/apache2 -DFOREGROUND -f "$PROGRAMS/serve-apache.conf"
