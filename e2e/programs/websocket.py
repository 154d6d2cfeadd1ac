# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Speaks WebSocket: frames that hold what looks like HTTP, each of which comes back.

websocket.py HOST PORT
"""

import socket
import struct
import sys

WORDS = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
# A text frame with a mask of zeros: the words as they are (RFC 6455, 5.2).
FRAME = struct.pack("!BBI", 0x81, 0x80 | len(WORDS), 0) + WORDS

connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
connection.sendall(UPGRADE)
answer = b""
while not answer.endswith(b"\r\n\r\n"):
    answer += connection.recv(1)
assert answer.startswith(b"HTTP/1.1 101 "), answer
for _ in range(50):
    # The words in a segment of their own, as any of them may be.
    for part in (FRAME[:6], FRAME[6:]):
        connection.sendall(part)
        back = b""
        while len(back) < len(part):
            back += connection.recv(len(part) - len(back))
        assert back == part
print("50 frames")
