#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# curl as a client under test: asks each server (an URL) for all that it has, and prints a line
# "URL METHOD STATUS" for each request. Like the other clients here, see test_http_truth.py.
set -eu
none=(-s -o /dev/null)
told=(-w "%{method} %{http_code}\n" --next)
ask() { # arguments of curl, and the path last
	wanted+=("${none[@]}" "${@:1:$#-1}" "$server${*: -1}" "${told[@]}")
}
for server; do
	wanted=()
	ask /hello
	ask /hello
	ask -H "Accept-Encoding: gzip" /chunks
	ask /large
	ask -I /hello
	ask --data-binary "$(printf %0100000d 7)" /take
	ask -X PUT -H "Expect: 100-continue" -d some /take
	ask /empty
	ask /same
	ask /missing
	ask /broken
	ask -H "Connection: close" /hello
	unset 'wanted[-1]'
	/usr/bin/curl "${wanted[@]}" | sed "s|^|$server |"
done
