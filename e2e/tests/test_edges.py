# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Who talks to whom: addresses and their names, the graph from both ends, and who may see it."""

import contextlib
import json
import os
import signal

from lib import api, cluster, daemons, pods, policies, stranger
from lib.case import ClusterTest
from lib.shell import wait_until

SERVER = {"app": "cart"}
CLIENT = {"app": "front"}
PORT, SERVICE_PORT = 8080, 80
SIZE = 1000
REPORT_SECONDS = 30  # agents report every 10 s
PYTHON = "/usr/bin/python3"

# Answers each connection with SIZE bytes.
SERVE = f"""
import socketserver
class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"x" * {SIZE})
        self.request.recv(1)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("", {PORT}), Answer).serve_forever()
"""

ASK = f"""
import socket, sys
for _ in range(int(sys.argv[3])):
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as s:
        got = 0
        while got < {SIZE}:
            got += len(s.recv(65536))
"""


def service(namespace, name):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"selector": SERVER, "ports": [{"port": SERVICE_PORT, "targetPort": PORT}]},
    }


def end_is(end, namespace, name):
    return end.get("namespace") == namespace and end.get("name") == name


class Edges(ClusterTest):
    """A client `front` in one namespace, a server `cart` in another, both watched."""

    def setUp(self):
        super().setUp()
        self.bank = self.make_namespace()
        manifests = [
            pods.pod(self.namespace, "front", CLIENT, node="node-a"),
            pods.pod(self.bank, "cart", SERVER, node="node-b", command=(PYTHON, "-c", SERVE)),
        ]
        _, self.cart = pods.start(*manifests)
        for namespace in (self.namespace, self.bank):
            self.apply_policy("tcp", namespace=namespace)
            policies.wait_ready(namespace, "tcp", "Attached")
        wait_until("the server answers", lambda: self.ask(pods.address(self.cart), PORT) is not None)
        self.everybody = self.account("everybody", self.namespace, self.bank)

    def account(self, name, *namespaces):
        """The token of an account that may view these namespaces."""
        bearer = api.make_account(self.namespace, name)
        for namespace in namespaces:
            api.let_view(namespace, self.namespace, name)
        return bearer

    def ask(self, address, port, times=1):
        command = (PYTHON, "-c", ASK, address, port, times)
        return pods.execute(self.namespace, "front", *command)

    def edge(self, bearer, **what):
        """The edge from front to cart, as soon as it has these members."""

        def find():
            found = [
                edge
                for edge in api.edges(bearer)
                if end_is(edge["source"], self.namespace, "front")
                and end_is(edge["destination"], self.bank, "cart")
            ]
            assert len(found) == 1, f"{len(found)} edges: {found}"
            assert what.items() <= found[0].items(), found[0]
            return found[0]

        return wait_until(f"an edge from front to cart with {what}", find, REPORT_SECONDS, 0.5)

    def test_both_ends(self):
        """an edge through a pod's address is seen from both ends, with the same figures"""
        self.ask(pods.address(self.cart), PORT, 20)

        def agree():
            edge = self.edge(self.everybody, observed="both", port=PORT, protocol="tcp")
            client, server = edge["client"], edge["server"]
            assert client["connections"] == server["connections"] >= 21, edge
            assert client["receivedBytes"] == server["sentBytes"] >= 21 * SIZE, edge
            return edge

        edge = wait_until("both ends agree", agree, REPORT_SECONDS, 1)
        self.assertNotIn("service", edge)
        self.assertEqual(edge["destination"]["kind"], "Pod")

    def test_service(self):
        """an edge through a Service is one with the server's own, and names the Service"""
        cluster.create(service(self.bank, "shop-front"))
        address = cluster.service_address("shop-front", self.bank)
        wait_until("the Service answers", lambda: self.ask(address, SERVICE_PORT) is not None)
        told = {"namespace": self.bank, "name": "shop-front", "port": SERVICE_PORT}
        self.edge(self.everybody, observed="both", port=PORT, service=told)

    def test_hidden(self):
        """who may see one namespace only learns that there is a peer, and not which"""
        self.edge(self.everybody, observed="both")
        views = self.account("views-one", self.namespace)
        edges = wait_until("the right is known", lambda: api.edges(views), 20, 0.5)
        hidden = [edge for edge in edges if edge["destination"] == {"kind": "Hidden"}]
        self.assertEqual(len(hidden), 1)
        self.assertTrue(end_is(hidden[0]["source"], self.namespace, "front"))
        self.assertEqual(hidden[0]["observed"], "both")
        text = json.dumps(api.edges(views))
        self.assertNotIn(self.bank, text)
        self.assertNotIn("cart", text)

    def test_no_rights(self):
        """who may see nothing sees no edge, and is told why a namespace is not shown"""
        self.edge(self.everybody, observed="both")
        nobody = self.account("nobody")
        self.assertEqual(api.edges(nobody), [])
        status, body, _ = api.request(nobody, f"?namespace={self.bank}")
        self.assertEqual(status, 403)
        self.assertIn(self.bank, body["error"])
        self.assertIn("nobody", body["error"])

    def test_narrowed(self):
        """?namespace= leaves out the edges of others, and needs the right to that one"""
        self.edge(self.everybody, observed="both")
        self.assertTrue(api.edges(self.everybody, self.bank))
        other = self.make_namespace()
        api.let_view(other, self.namespace, "everybody")

        def empty():
            return api.request(self.everybody, f"?namespace={other}")[1].get("edges") == []

        wait_until("an empty answer", empty, 20, 0.5)

    def test_refusals(self):
        """without a token 401, a bad one 401, a bad query 400, another method 405, path 404"""
        cases = [
            ((None,), 401, "Authorization"),
            (("not-a-token",), 401, "token"),
            ((self.everybody, "?limit=3"), 400, "limit=3"),
            ((self.everybody, "?namespace=A_B"), 400, "A_B"),
            ((self.everybody, "", "DELETE"), 405, "GET"),
            ((self.everybody, "", "GET", "/api/v1/other"), 404, "path"),
        ]
        for arguments, status, word in cases:
            with self.subTest(status=status, word=word):
                told, body, headers = api.request(*arguments)
                self.assertEqual(told, status)
                self.assertIn(word, body["error"])
                if status == 401:
                    self.assertEqual(headers["www-authenticate"], "Bearer")

    def test_agents_token(self):
        """an agent's token is for agents: it opens nothing here"""
        pod = daemons.agent_pod("node-a")
        bearer = stranger.token("skep-node-agent", cluster.SYSTEM, "skep-operator", pod)
        self.assertEqual(api.request(bearer)[0], 401)


class Addresses(ClusterTest):
    """What the operator tells of addresses, to a stranger with the token of an agent."""

    def setUp(self):
        super().setUp()
        self.hold_true_agent()
        self.connection = stranger.Connection()
        self.addCleanup(self.connection.__exit__)
        pod = daemons.agent_pod("node-b")
        bearer = stranger.token("skep-node-agent", cluster.SYSTEM, "skep-operator", pod)
        self.assertEqual(self.connection.upgrade(bearer), 101)
        self.connection.send_json(stranger.hello("node-b"))

    def hold_true_agent(self):
        """It would come back at once, and stand for the node instead of us."""
        process = daemons.agent_process("node-b")
        os.kill(process, signal.SIGSTOP)
        self.addCleanup(self.let_go, process)

    @staticmethod
    def let_go(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)

    def tearDown(self):
        """The true agent of the node takes over again."""
        self.connection.__exit__()
        self.let_go(daemons.agent_process("node-b"))
        wait_until(
            "both agents connected",
            lambda: daemons.value(daemons.operator_metrics(), "skep_operator_agents_connected")
            == len(cluster.NODES),
            20,
        )
        super().tearDown()

    def look_up(self, *addresses):
        message = {"type": "lookup", "addresses": addresses, "forget": []}
        self.connection.send_json(message)
        return self.receive_peers()

    def receive_peers(self):
        """The next message of peers, by address."""
        while True:
            message = json.loads(self.connection.receive())
            if message["type"] == "peers":
                return {peer["address"]: peer for peer in message["peers"]}

    def test_kinds(self):
        """pod, Service, node and outside are told apart; a pod that goes gives its address back"""
        shown = self.start_pod("one", SERVER)
        node = cluster.get("node", "node-a")
        pod_address = pods.address(shown)
        node_address = next(
            found["address"]
            for found in node["status"]["addresses"]
            if found["type"] == "InternalIP"
        )
        service_address = cluster.service_address("skep-operator")
        told = self.look_up(pod_address, node_address, service_address, "203.0.113.9")
        self.assertEqual(told[pod_address]["uid"], shown["metadata"]["uid"])
        self.assertEqual(told[pod_address]["workload"], {"kind": "Pod", "name": "one"})
        self.assertEqual(told[node_address]["kind"], "Node")
        self.assertEqual(told[service_address]["kind"], "Service")
        self.assertEqual(told[service_address]["name"], "skep-operator")
        self.assertEqual(told["203.0.113.9"], {"address": "203.0.113.9", "kind": "External"})
        pods.delete(self.namespace, "one")
        self.assertEqual(self.receive_peers()[pod_address]["kind"], "External")
