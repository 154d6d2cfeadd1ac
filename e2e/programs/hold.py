# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Opens many connections, asks twice on each while all are open, and prints how many were answered.

hold.py HOST PORT CONNECTIONS
"""

import resource
import socket
import sys

REQUEST = b"GET /hello HTTP/1.1\r\nHost: held\r\n\r\n"

host, port, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
if most < wanted + 100:
    sys.exit(f"a process here may have {most} files open, too few for {wanted} connections")
held = [socket.create_connection((host, port), 20) for _ in range(wanted)]
answered = 0
for _ in range(2):
    for connection in held:
        connection.sendall(REQUEST)
    for connection in held:
        answer = connection.recv(4096)
        while answer and not answer.endswith(b"hello"):
            answer += connection.recv(4096)
        answered += answer.startswith(b"HTTP/1.1 200 ")
print(answered)
