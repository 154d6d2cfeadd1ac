# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""The agents' end of the link, by hand, for whoever knocks without being an agent."""

import base64
import json
import os
import socket
import ssl
import struct

from lib import cluster

PATH = "/v1/agents"
SUBPROTOCOL = "skep.v1"
SERVER_NAME = "skep-operator.skep-system.svc"
PORT = 8443
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def certificate_authority():
    return cluster.get("configmap", "skep-operator-ca", cluster.SYSTEM)["data"]["ca.crt"]


def token(account, namespace, audience, pod=None):
    """A token of a service account, by TokenRequest; bound to a pod if one is given."""
    spec = {"audiences": [audience], "expirationSeconds": 3600}
    if pod:
        metadata = pod["metadata"]
        spec["boundObjectRef"] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    answer = cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(request))
    return json.loads(answer)["status"]["token"]


class Ended(Exception):
    """The operator ended the connection; the message says why, as far as it told."""


class Connection:
    """A TLS connection that speaks just enough WebSocket (RFC 6455)."""

    def __init__(self, seconds=15):
        context = ssl.create_default_context(cadata=certificate_authority())
        plain = socket.create_connection((cluster.service_address("skep-operator"), PORT), seconds)
        self.socket = context.wrap_socket(plain, server_hostname=SERVER_NAME)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def upgrade(self, bearer=None):
        """Asks for the WebSocket; returns the status line's code."""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {PATH} HTTP/1.1", f"Host: {SERVER_NAME}", "Connection: Upgrade"]
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        lines += [f"Sec-WebSocket-Protocol: {SUBPROTOCOL}"]
        lines += [f"Authorization: Bearer {bearer}"] if bearer else []
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        return int(head.split()[1])

    def take(self, count):
        taken = b""
        while len(taken) < count:
            try:
                piece = self.socket.recv(count - len(taken))
            except (ConnectionError, ssl.SSLError) as error:
                raise Ended(str(error)) from error
            if not piece:
                raise Ended("connection closed")
            taken += piece
        return taken

    def send(self, payload, opcode=TEXT, claimed=None):
        """One masked frame; `claimed` is the length that its header tells."""
        length = len(payload) if claimed is None else claimed
        mask = os.urandom(4)
        body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        header = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
        self.send_raw(header + mask + body)

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError) as error:
            raise Ended(str(error)) from error

    def send_json(self, message):
        self.send(json.dumps(message).encode())

    def receive(self):
        """The next message; Ended with the words of the close frame if there is none."""
        message = b""
        while True:
            first, length = self.take(2)
            if length == 126:
                length = struct.unpack("!H", self.take(2))[0]
            elif length == 127:
                length = struct.unpack("!Q", self.take(8))[0]
            payload = self.take(length)
            opcode = first & 0x0F
            if opcode == CLOSE:
                raise Ended(payload[2:].decode(errors="replace") or "closed")
            if opcode == PING:
                self.send(payload, PONG)
                continue
            if opcode == PONG:
                continue
            message += payload
            if first & 0x80:
                return message.decode()


def hello(node):
    return {
        "type": "hello",
        "protocol": 1,
        "node": node,
        "version": "e2e",
        "kernel": "6.0",
        "epoch": "",
        "revision": 0,
    }
