# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Who talks to whom over TCP, and how much, by every way that a cluster has."""

import re
import socket

from lib import cluster, daemons, outside, pods, policies
from lib.case import ClusterTest
from lib.shell import run, wait_until

PYTHON = "/usr/bin/python3"
SERVER = {"app": "server"}
PORT = 8080
SIZE = 100_000
QUESTION = len("more\n")

# Answers every line with SIZE bytes, over IPv4 and IPv6, at the port given.
SERVE = f"""
import socket, socketserver, sys
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"x" * {SIZE})
class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
Server(("::", int(sys.argv[1])), Answer).serve_forever()
"""

# Asks as often as it is told, on one connection.
ASK = f"""
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as s:
    for _ in range(int(sys.argv[3])):
        s.sendall(b"more\\n")
        got = 0
        while got < {SIZE}:
            got += len(s.recv(65536))
"""

# Asks whenever a file "ask" appears, on one connection; ends with a file "stop".
ASK_SLOWLY = f"""
import os, socket, sys, time
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as s:
    while not os.path.exists("/tmp/stop"):
        time.sleep(0.02)
        if os.path.exists("/tmp/ask"):
            os.unlink("/tmp/ask")
            s.sendall(b"more\\n")
            got = 0
            while got < {SIZE}:
                got += len(s.recv(65536))
time.sleep(3600)
"""


def serve(port=PORT):
    return (PYTHON, "-c", SERVE, str(port))


class Network(ClusterTest):
    def setUp(self):
        super().setUp()
        self.server = self.start_pod("server", SERVER, node="node-a", command=serve())

    def watch(self):
        """All pods of the namespace."""
        self.apply_policy("network")
        policies.wait_ready(self.namespace, "network", "Attached")

    def start_client(self, name="client", node="node-b", **how):
        return self.start_pod(name, {"app": "client"}, node=node, **how)

    def ask(self, address, port=PORT, times=1, where="client", check=True):
        command = (PYTHON, "-c", ASK, address, str(port), str(times))
        return pods.execute(self.namespace, where, *command, check=check)

    def figure(self, shown, name, **edge):
        return daemons.pod_metric(shown, f"skep_tcp_{name}", **edge) or 0

    def wait_figure(self, shown, name, wanted, **edge):
        """Exactly; the operator has to be asked who has an address."""

        def told():
            found = self.figure(shown, name, **edge)
            assert found == wanted, f"it is {found}"
            return True

        wait_until(f"skep_tcp_{name} of {wanted} for {edge}", told)

    def peer(self, shown):
        return {
            "peer_kind": "Pod",
            "peer_namespace": shown["metadata"]["namespace"],
            "peer_name": shown["metadata"]["name"],
        }

    def expect_asked(self, client, times=1, **edge):
        """What a client has, that has asked so often on one connection."""
        edge["role"] = "client"
        self.wait_figure(client, "received_bytes_total", times * SIZE, **edge)
        self.wait_figure(client, "sent_bytes_total", times * QUESTION, **edge)
        self.wait_figure(client, "connections_opened_total", 1, **edge)
        self.wait_figure(client, "connections_open", 0, **edge)
        self.wait_figure(client, "connect_duration_seconds_count", 1, **edge)

    def expect_answered(self, server, times=1, **edge):
        """What the server has then."""
        edge["role"] = "server"
        self.wait_figure(server, "sent_bytes_total", times * SIZE, **edge)
        self.wait_figure(server, "received_bytes_total", times * QUESTION, **edge)
        self.wait_figure(server, "connections_accepted_total", 1, **edge)
        self.wait_figure(server, "connections_open", 0, **edge)

    def test_pod_to_pod(self):
        """between pods of two nodes: both ends name each other and tell the same bytes"""
        client = self.start_client()
        self.watch()
        self.ask(pods.address(self.server), times=3)
        self.expect_asked(client, 3, server_port=str(PORT), **self.peer(self.server))
        self.expect_answered(self.server, 3, server_port=str(PORT), **self.peer(client))
        self.assertEqual(self.figure(client, "connections_opened_total"), 1, "on no other edge")

    def test_service(self):
        """by a Service's address: the client sees the Service, the server the client"""
        client = self.start_client()
        self.watch()
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "shop", "namespace": self.namespace},
                "spec": {"selector": SERVER, "ports": [{"port": 80, "targetPort": PORT}]},
            }
        )
        address = cluster.service_address("shop", self.namespace)
        probe = (PYTHON, "-c", f"import socket; socket.create_connection(('{address}', 80), 1)")
        wait_until("the Service is routed", lambda: run(*probe) is not None, 20)
        self.ask(address, 80)
        service = {"peer_kind": "Service", "peer_namespace": self.namespace, "peer_name": "shop"}
        self.expect_asked(client, server_port="80", **service)
        self.expect_answered(self.server, server_port=str(PORT), **self.peer(client))

    def test_host_network(self):
        """a pod of the host's network, as server and as client: the others see the node"""
        client = self.start_client()
        port = self.free_port()
        manifest = pods.pod(
            self.namespace, "host", {"app": "host"}, node="node-a", command=serve(port)
        )
        manifest["spec"]["hostNetwork"] = True
        host = pods.start(manifest)[0]
        self.watch()
        node = {"peer_kind": "Node", "peer_namespace": "", "peer_name": "node-a"}
        self.ask(pods.address(host), port)
        self.expect_asked(client, server_port=str(port), **node)
        self.expect_answered(host, server_port=str(port), **self.peer(client))
        self.ask(pods.address(self.server), where="host")
        self.expect_asked(host, server_port=str(PORT), **self.peer(self.server))
        self.expect_answered(self.server, server_port=str(PORT), **node)

    @staticmethod
    def free_port():
        """Of the machine, which is the node."""
        with socket.create_server(("", 0)) as listener:
            return listener.getsockname()[1]

    def test_outside(self):
        """an address outside the cluster, both ways; it has no name"""
        client = self.start_client()
        self.watch()
        stranger = outside.Outside(self)
        stranger.start(*serve())
        edge = {"peer_kind": "External", "peer_namespace": "", "peer_name": ""}
        wait_until("the stranger answers", lambda: run(
            PYTHON, "-c", f"import socket; socket.create_connection(('{outside.ADDRESS}', {PORT}), 1)"
        ) is not None)
        self.ask(outside.ADDRESS, times=2)
        self.expect_asked(client, 2, server_port=str(PORT), **edge)
        stranger.within(PYTHON, "-c", ASK, pods.address(self.server), str(PORT), "1")
        self.expect_answered(self.server, server_port=str(PORT), **edge)

    def test_within_the_pod(self):
        """by loopback and by the pod's own address: both ends are the pod itself"""
        self.watch()
        for connections, address in enumerate(("127.0.0.1", "::1", pods.address(self.server)), 1):
            self.ask(address, where="server")
            edge = self.peer(self.server)
            for role, name in (("client", "received_bytes_total"), ("server", "sent_bytes_total")):
                self.wait_figure(self.server, name, connections * SIZE, role=role, **edge)
        self.wait_figure(self.server, "connections_opened_total", 3, role="client", **edge)
        self.wait_figure(self.server, "connections_accepted_total", 3, role="server", **edge)

    def test_ipv6(self):
        """pods of one node over IPv6 (by their link's addresses, which the cluster does not know)"""
        client = self.start_client(node="node-a")
        self.watch()
        (pid,) = pods.processes(self.server, "python3")
        words = pods.in_namespaces(pid, "ip", "-6", "-brief", "address", "show", "eth0").split()
        address = next(word for word in words if word.startswith("fe80")).partition("/")[0]
        self.ask(f"{address}%eth0")
        edge = {"peer_kind": "External", "server_port": str(PORT)}
        self.expect_asked(client, **edge)
        self.expect_answered(self.server, **edge)

    def test_long_lived(self):
        """one connection that lives on, older than the policy: its figures move while it lives"""
        address = pods.address(self.server)
        command = (PYTHON, "-c", ASK_SLOWLY, address, str(PORT))
        client = self.start_client(command=command)
        self.press(client, "ask")
        self.watch()
        for times in (1, 2, 3):
            self.press(client, "ask")
            edge = {"role": "client", "server_port": str(PORT), **self.peer(self.server)}
            self.wait_figure(client, "received_bytes_total", times * SIZE, **edge)
            self.wait_figure(client, "connections_open", 1, **edge)
            edge = {"role": "server", "server_port": str(PORT), **self.peer(client)}
            self.wait_figure(self.server, "sent_bytes_total", times * SIZE, **edge)
            self.wait_figure(self.server, "connections_open", 1, **edge)
        self.assertEqual(self.figure(client, "connections_opened_total"), 0)
        self.assertGreater(self.figure(client, "min_rtt_seconds"), 0)
        self.press(client, "stop", wait=False)
        self.wait_figure(client, "connections_open", 0)
        self.wait_figure(self.server, "connections_open", 0)

    def test_as_ss_says(self):
        """what is told of a connection is what `ss -ti` in its pod shows of the socket"""
        self.watch()
        command = (PYTHON, "-c", ASK_SLOWLY, pods.address(self.server), str(PORT))
        client = self.start_client(command=command)
        for _ in range(5):
            self.press(client, "ask")
        for shown, other in ((client, self.server), (self.server, client)):
            edge = self.peer(other)
            truth = wait_until("rest", lambda: self.settled(shown))
            sent = int(truth["bytes_sent"]) - int(truth.get("bytes_retrans", 0))
            self.wait_figure(shown, "sent_bytes_total", sent, **edge)
            self.wait_figure(shown, "received_bytes_total", int(truth["bytes_received"]), **edge)
            self.wait_figure(shown, "sent_packets_total", int(truth["segs_out"]), **edge)
            self.wait_figure(shown, "received_packets_total", int(truth["segs_in"]), **edge)
            seconds = round(float(truth["minrtt"]) / 1000, 6)  # ss tells milliseconds
            self.wait_figure(shown, "min_rtt_seconds", seconds, **edge)

    def settled(self, shown):
        """What ss shows of the pod's only connection, when it shows the same twice."""
        before = self.socket(shown)
        return self.socket(shown) == before and before

    def socket(self, shown):
        pid = pods.processes(shown, "python3")[0]
        words = pods.in_namespaces(pid, "ss", "-tniH", "state", "established").split()
        found = dict(word.split(":", 1) for word in words if re.match(r"[a-z_]+:[0-9.]+$", word))
        return {name: value for name, value in found.items() if not name.startswith("last")}

    def press(self, client, name, wait=True):
        """Puts a file before the client; waits until it has been taken, and answered."""
        path = f"/tmp/{name}"
        pods.execute(self.namespace, client["metadata"]["name"], "/usr/bin/touch", path)
        gone = ("/bin/sh", "-c", f"test ! -e {path} && echo gone")
        if wait:
            wait_until("it is taken", lambda: pods.execute(
                self.namespace, client["metadata"]["name"], *gone, check=False
            ).startswith("gone"))

    def test_refused(self):
        """a port where nobody listens: refused, on an edge of its own"""
        client = self.start_client()
        self.watch()
        self.ask(pods.address(self.server), 9, check=False)
        edge = {"role": "client", "server_port": "9", **self.peer(self.server)}
        self.wait_figure(client, "connects_refused_total", 1, **edge)
        self.assertEqual(self.figure(client, "connections_opened_total"), 0)
        self.assertEqual(self.figure(client, "resets_received_total"), 0)

    def test_workloads(self):
        """pods of a Deployment count together, under its name"""
        manifest = pods.pod(self.namespace, "asker", {"app": "asker"})
        template = {"metadata": {"labels": {"app": "asker"}}, "spec": manifest["spec"]}
        cluster.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "asker", "namespace": self.namespace},
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": {"app": "asker"}},
                    "template": template,
                },
            }
        )
        cluster.kubectl("rollout", "status", "deployment/asker", "-n", self.namespace, "--timeout=60s")
        self.watch()
        for shown in cluster.get("pods", namespace=self.namespace, selector="app=asker"):
            self.ask(pods.address(self.server), where=shown["metadata"]["name"])
        edge = {
            "role": "server",
            "peer_kind": "Deployment",
            "peer_namespace": self.namespace,
            "peer_name": "asker",
        }
        self.wait_figure(self.server, "connections_accepted_total", 2, **edge)
        self.wait_figure(self.server, "sent_bytes_total", 2 * SIZE, **edge)
        wait_until("what the Deployment has received", lambda: self.received_by("asker") == 2 * SIZE)

    def received_by(self, deployment):
        return sum(
            daemons.value(
                daemons.agent_metrics(node),
                "skep_tcp_received_bytes_total",
                k8s_namespace_name=self.namespace,
                k8s_deployment_name=deployment,
                **self.peer(self.server),
            )
            or 0
            for node in cluster.NODES
        )
