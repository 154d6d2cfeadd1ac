# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Asks for some paths at the same time, each again and again on a connection of its own.

ask-paths.py HOST:PORT TIMES PATH [TIMES PATH]...
"""

import http.client
import sys
import threading


def ask(server, times, path):
    connection = http.client.HTTPConnection(server, timeout=20)
    for _ in range(times):
        connection.request("GET", path)
        connection.getresponse().read()


threads = [
    threading.Thread(target=ask, args=(sys.argv[1], int(times), path))
    for times, path in zip(sys.argv[2::2], sys.argv[3::2])
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
