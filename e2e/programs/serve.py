# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Python's own HTTP server under test: port 8080, and 8081 whose processes die in the middle."""

import http.server
import os
import signal
import socket
import socketserver
import struct
import time

LARGE = 3_000_000


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body):
        bare = status in (204, 304)
        self.send_response(status)
        if not bare:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not bare and self.command != "HEAD":
            self.wfile.write(body)

    def chunks(self, number, pause):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(number):
            self.wfile.write(b"6\r\nchunk\n\r\n")
            time.sleep(pause)
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        words = self.path.split("/")[1:]
        if words[0] == "wait":  # /wait/MILLISECONDS/STATUS
            time.sleep(int(words[1]) / 1000)
            self.answer(int(words[2]), b"waited")
        elif words[0] == "chunks":
            self.chunks(20, 0)
        elif words[0] == "drip":
            self.chunks(100, 0.1)
        elif words[0] == "large":
            self.answer(200, bytes(LARGE))
        else:
            known = {"hello": 200, "empty": 204, "same": 304, "broken": 500}
            self.answer(known.get(words[0], 404), b"hello")

    do_HEAD = do_GET

    def take(self, status):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(status, b"taken")

    def do_POST(self):
        self.take(200)

    def do_PUT(self):
        self.take(201)

    def log_message(self, *_):
        pass


class Dying(http.server.BaseHTTPRequestHandler):
    """Each request is answered in part only, by a process of its own."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != "/silent":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"so far")
        if self.path == "/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.kill(os.getpid(), signal.SIGKILL)


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # and IPv4
    request_queue_size = 128

    def handle_error(self, *_):
        """A client that gives up is no news."""


class DyingServer(socketserver.ForkingMixIn, http.server.HTTPServer):
    pass


if os.fork() == 0:
    DyingServer(("", 8081), Dying).serve_forever()
else:
    Server(("::", 8080), Answer).serve_forever()
