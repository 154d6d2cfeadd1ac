# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What the TCP probe counts, for connections of IPv4 and IPv6, new and old."""

from lib import daemons, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

SERVER = {"app": "server"}
PORT = 8080
SIZE = 100_000

# Answers every connection with SIZE bytes as soon as a line comes, and keeps it open.
SERVE = f"""
import socketserver
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"x" * {SIZE})
class Server(socketserver.ThreadingTCPServer):
    address_family = __import__("socket").AF_INET6
    allow_reuse_address = True
    request_queue_size = 64
Server(("::", {PORT}), Answer).serve_forever()
"""

ASK = f"""
import socket, sys, time
with socket.create_connection((sys.argv[1], {PORT}), 5) as s:
    time.sleep(float(sys.argv[2]))
    s.sendall(b"more\\n")
    got = 0
    while got < {SIZE}:
        got += len(s.recv(65536))
    if sys.argv[3:] == ["reset"]:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, __import__("struct").pack("ii", 1, 0))
"""

# Asks on one connection until it is told to stop; then tells how often it has asked.
STREAM = f"""
import os, socket, sys, time
rounds = 0
with socket.create_connection((sys.argv[1], {PORT}), 5) as s:
    while not os.path.exists("/tmp/stop"):
        s.sendall(b"more\\n")
        got = 0
        while got < {SIZE}:
            got += len(s.recv(65536))
        rounds += 1
        time.sleep(0.01)
with open("/tmp/asked.new", "w") as told:
    told.write(str(rounds))
os.rename("/tmp/asked.new", "/tmp/asked")
time.sleep(3600)
"""


class Tcp(ClusterTest):
    def setUp(self):
        super().setUp()
        python = "/usr/bin/python3"
        self.server = self.start_pod("server", SERVER, command=(python, "-c", SERVE))
        self.client = self.start_pod("client", {"app": "client"})
        wait_until("the server answers", lambda: self.ask(check=True) is not None)

    def watch(self, labels=None):
        self.apply_policy("tcp", labels or SERVER)
        policies.wait_ready(self.namespace, "tcp", "Attached")

    def ask(self, *more, where="client", address=None, wait="0", check=True):
        address = address or pods.address(self.server)
        command = ("/usr/bin/python3", "-c", ASK, address, wait, *more)
        return pods.execute(self.namespace, where, *command, check=check)

    def metric(self, name, shown=None):
        return daemons.pod_metric(shown or self.server, f"skep_tcp_{name}") or 0

    def wait_metric(self, name, least, shown=None):
        return wait_until(
            f"skep_tcp_{name} of {least} or more",
            lambda: self.metric(name, shown) >= least and self.metric(name, shown),
        )

    def test_accepted(self):
        """connections accepted and bytes each way, exactly"""
        self.watch()
        for _ in range(3):
            self.ask()
        self.wait_metric("sent_bytes_total", 3 * SIZE)
        self.assertEqual(self.metric("connections_accepted_total"), 3)
        self.assertEqual(self.metric("connections_opened_total"), 0)
        self.assertEqual(self.metric("sent_bytes_total"), 3 * SIZE)
        self.assertEqual(self.metric("received_bytes_total"), 3 * len("more\n"))
        wait_until("none is open", lambda: self.metric("connections_open") == 0)
        self.wait_metric("srtt_seconds_count", 1)

    def test_opened(self):
        """connections opened and refused, by the client"""
        self.watch({"app": "client"})
        self.ask()
        self.wait_metric("connections_opened_total", 1, self.client)
        refused = "import socket; socket.create_connection(('127.0.0.1', 9), 2)"
        pods.execute(self.namespace, "client", "/usr/bin/python3", "-c", refused, check=False)
        self.wait_metric("connects_refused_total", 1, self.client)
        self.assertEqual(self.metric("connections_opened_total", self.client), 1)
        self.assertEqual(self.metric("connects_timed_out_total", self.client), 0)

    def test_reset(self):
        """a connection that the client resets counts as such, and as nothing of the server's"""
        self.watch()
        self.ask("reset")
        self.wait_metric("resets_received_total", 1)
        self.assertEqual(self.metric("resets_sent_total"), 0)

    def test_other_end(self):
        """each end tells the other by its name, and itself as client or server"""
        self.watch()
        self.apply_policy("client", {"app": "client"})
        policies.wait_ready(self.namespace, "client", "Attached")
        self.ask()
        edge = {"peer_kind": "Pod", "peer_namespace": self.namespace, "server_port": str(PORT)}
        ends = (
            (self.client, "connections_opened_total", {"role": "client", "peer_name": "server"}),
            (self.server, "connections_accepted_total", {"role": "server", "peer_name": "client"}),
        )
        for shown, name, labels in ends:
            wait_until(
                f"{shown['metadata']['name']} tells the other end",
                lambda: daemons.pod_metric(shown, f"skep_tcp_{name}", **edge, **labels) == 1,
            )

    def test_ipv6(self):
        """IPv6 counts like IPv4"""
        self.watch()
        self.ask(where="server", address="::1")
        self.wait_metric("connections_accepted_total", 1)
        self.assertEqual(self.metric("connections_opened_total"), 1)

    def test_no_gap(self):
        """of two policies one goes and comes as traffic flows: every byte is counted, once"""
        self.apply_policy("one", SERVER)
        self.watch()
        command = ("/usr/bin/python3", "-c", STREAM, pods.address(self.server))
        self.start_pod("stream", {"app": "client"}, command=command)
        self.wait_metric("sent_bytes_total", 2 * SIZE)
        before = self.metric("sent_bytes_total")
        for _ in range(3):
            policies.delete(self.namespace, "one")
            self.apply_policy("one", SERVER)
            policies.wait_ready(self.namespace, "one", "Attached")
        self.wait_metric("sent_bytes_total", before + 2 * SIZE)
        pods.execute(self.namespace, "stream", "/usr/bin/touch", "/tmp/stop")
        rounds = int(wait_until("the end of the stream", self.asked))
        wait_until("its end is counted", lambda: self.metric("connections_open") == 0)
        self.assertEqual(self.metric("sent_bytes_total"), rounds * SIZE)
        self.assertEqual(self.metric("received_bytes_total"), rounds * len("more\n"))
        self.assertEqual(self.metric("connections_accepted_total"), 1)
        self.measured = f"{rounds * SIZE} bytes"

    def asked(self):
        return pods.execute(self.namespace, "stream", "/bin/cat", "/tmp/asked")

    def test_older_connection(self):
        """bytes of a connection that is older than the policy are counted"""
        name = "older"
        address = pods.address(self.server)
        self.start_pod(name, command=("/usr/bin/python3", "-c", ASK, address, "6"))
        self.watch()
        self.assertEqual(self.metric("connections_accepted_total"), 0)
        self.wait_metric("sent_bytes_total", SIZE)
