# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Python's http.client under test; see ask-curl.sh."""

import http.client
import sys

BODY = b"7" * 100000


def ask(server, connection, method, path, body=None, **headers):
    connection.request(method, path, body, {name.replace("_", "-"): headers[name] for name in headers})
    tell(server, connection, method)


def tell(server, connection, method):
    answer = connection.getresponse()
    answer.read()
    print(server, method, answer.status)


def ask_first(server, connection, path, body):
    """The body only follows when the server has said that it wants it."""
    connection.putrequest("PUT", path)
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    interim = b""
    while not interim.endswith(b"\r\n\r\n"):
        interim += connection.sock.recv(1)
    assert interim.startswith(b"HTTP/1.1 100 "), interim
    connection.sock.sendall(body)
    tell(server, connection, "PUT")


for server in sys.argv[1:]:
    connection = http.client.HTTPConnection(server.removeprefix("http://"), timeout=20)
    ask(server, connection, "GET", "/hello")
    ask(server, connection, "GET", "/hello")
    ask(server, connection, "GET", "/chunks", Accept_Encoding="gzip")
    ask(server, connection, "GET", "/large")
    ask(server, connection, "HEAD", "/hello")
    ask(server, connection, "POST", "/take", BODY)
    ask_first(server, connection, "/take", b"some")
    for path in ("/empty", "/same", "/missing", "/broken"):
        ask(server, connection, "GET", path)
    ask(server, connection, "GET", "/hello", Connection="close")
