#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# Starts nginx with serve.conf; its files and a certificate are made first.
set -e
mkdir -p /tmp/nginx
cd /tmp/nginx
printf hello >hello
head -c 20000 /dev/zero >chunks
head -c 3000000 /dev/zero >large
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=nginx \
	-keyout server.key -out server.crt 2>/dev/null
exec /usr/sbin/nginx -c "$(dirname "$0")/serve.conf"
