# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Relays of TCP that cut: by closing, or by standing still as a network does that has gone."""

import select
import socket
import threading

PIECE = 1 << 16
WAITING_LIMIT = 1 << 20


class Pair:
    """Two connected sockets, and what waits for each."""

    def __init__(self, near, far):
        self.ends = near, far
        self.waiting = {near: bytearray(), far: bytearray()}

    def other(self, end):
        return self.ends[1] if end is self.ends[0] else self.ends[0]

    def close(self):
        for end in self.ends:
            end.close()


class Relay(threading.Thread):
    """
    Listens on a port of loopback; `target` tells for each connection where it leads to, None for
    nowhere. `mode` is "open", "closed" (connections end, none is taken) or "still" (nothing moves
    in either direction, and nobody is told).
    """

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target, self.mode = target, "open"
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.pairs = {}
        self.wake_reader, self.wake_writer = socket.socketpair()
        self.start()

    def set(self, mode):
        self.mode = mode
        self.wake_writer.send(b"x")

    def _close(self, pair):
        for end in pair.ends:
            self.pairs.pop(end, None)
        pair.close()

    def _accept(self):
        near, _ = self.listener.accept()
        port = self.target()
        if self.mode == "closed" or not port:
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            near.close()
            return
        pair = Pair(near, far)
        for end in pair.ends:
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs[end] = pair

    def _read(self, end):
        pair = self.pairs.get(end)
        if not pair:
            return
        try:
            piece = end.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._close(pair)
            return
        pair.waiting[pair.other(end)] += piece
        self._write(pair.other(end))

    def _write(self, end):
        pair = self.pairs.get(end)
        if not pair:
            return
        try:
            sent = end.send(pair.waiting[end])
            del pair.waiting[end][:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._close(pair)

    def _readable(self):
        """A still network takes nothing: TCP's own buffers fill, and then the sender waits."""
        if self.mode == "still":
            return [self.wake_reader]
        ends = [
            end
            for end, pair in self.pairs.items()
            if len(pair.waiting[pair.other(end)]) < WAITING_LIMIT
        ]
        return [self.wake_reader, self.listener, *ends]

    def _writable(self):
        if self.mode == "still":
            return []
        return [end for end, pair in self.pairs.items() if pair.waiting[end]]

    def run(self):
        while True:
            readable, writable, _ = select.select(self._readable(), self._writable(), [])
            if self.wake_reader in readable:
                self.wake_reader.recv(PIECE)
                if self.mode == "closed":
                    for pair in set(self.pairs.values()):
                        self._close(pair)
                continue
            for end in writable:
                self._write(end)
            for end in readable:
                if end is self.listener:
                    self._accept()
                else:
                    self._read(end)
