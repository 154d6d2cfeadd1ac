# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Strangers on the agents' port: nothing is let in, nothing is lost."""

import json
import socket

from lib import cluster, daemons, kernel, pods, policies, stranger
from lib.case import ClusterTest
from lib.shell import wait_until

AGENT = "skep-node-agent"
AUDIENCE = "skep-operator"
WATCHED = {"app": "watched"}


class AgentPort(ClusterTest):
    def tearDown(self):
        """Whatever came in, both agents are still connected and work is still done."""
        wait_until("both agents connected", self.both_connected, 20)
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("after", WATCHED)
        policies.wait_ready(self.namespace, "after", "Attached")
        self.assertTrue(kernel.attached(shown))
        super().tearDown()

    @staticmethod
    def both_connected():
        metrics = daemons.operator_metrics()
        return daemons.value(metrics, "skep_operator_agents_connected") == len(cluster.NODES)

    def turned_away(self, bearer, *messages):
        """Says these messages with this token; returns why the operator ended the connection."""
        with stranger.Connection() as connection:
            status = connection.upgrade(bearer)
            if status != 101:
                return f"HTTP {status}"
            try:
                for message in messages:
                    connection.send_json(message)
                answer = connection.receive()
            except stranger.Ended as ended:
                return str(ended)
        return self.fail(f"the stranger was let in and got {answer[:200]}")

    def agent_token(self, audience=AUDIENCE, pod=None):
        return stranger.token(AGENT, cluster.SYSTEM, audience, pod)

    def test_no_token(self):
        """no token: refused"""
        self.turned_away(None, stranger.hello("node-a"))

    def test_garbage_token(self):
        """a token that is none: refused"""
        self.turned_away("not-a-token", stranger.hello("node-a"))

    def test_wrong_audience(self):
        """a token of the agent for another audience: refused"""
        pod = daemons.agent_pod("node-a")
        other = "https://kubernetes.default.svc"
        self.turned_away(self.agent_token(other, pod), stranger.hello("node-a"))

    def test_other_account(self):
        """a token of another service account: refused, and told whose it is"""
        bearer = stranger.token("default", self.namespace, AUDIENCE)
        self.assertIn("default", self.turned_away(bearer, stranger.hello("node-a")))

    def test_unbound_token(self):
        """a token of the agent's account that is bound to no pod: refused"""
        self.turned_away(self.agent_token(), stranger.hello("node-a"))

    def test_other_node(self):
        """a true agent that names a node that is not its own: refused"""
        bearer = self.agent_token(pod=daemons.agent_pod("node-b"))
        self.assertIn("node-b", self.turned_away(bearer, stranger.hello("node-a")))

    def test_true_agent(self):
        """the same by the rules is let in: these tests can fail"""
        bearer = self.agent_token(pod=daemons.agent_pod("node-b"))
        with stranger.Connection() as connection:
            self.assertEqual(connection.upgrade(bearer), 101)
            connection.send_json(stranger.hello("node-b"))
            self.assertEqual(json.loads(connection.receive())["type"], "snapshot")

    def test_pod_gone(self):
        """an agent whose pod is deleted is ended at once, whatever its token says"""
        manifest = pods.pod(cluster.SYSTEM, f"{self.namespace}-agent", node="node-b")
        manifest["spec"].update(serviceAccountName=AGENT, automountServiceAccountToken=False)
        name = manifest["metadata"]["name"]
        (pod,) = pods.start(manifest)
        self.addCleanup(
            cluster.kubectl, "delete", "pod", name, "-n", cluster.SYSTEM, "--ignore-not-found"
        )
        # It does not say hello, as the true agent of that node would then take its place.
        with stranger.Connection(60) as connection:
            self.assertEqual(connection.upgrade(self.agent_token(pod=pod)), 101)
            # Without waiting: meanwhile nobody would answer the operator's pings.
            cluster.kubectl("delete", "pod", name, "-n", cluster.SYSTEM, "--now", "--wait=false")
            with self.assertRaises(stranger.Ended) as ended:
                connection.receive()
        self.assertIn("is gone", str(ended.exception))

    def test_garbage_frames(self):
        """frames that are no JSON end the connection"""
        bearer = self.agent_token(pod=daemons.agent_pod("node-b"))
        with stranger.Connection() as connection:
            self.assertEqual(connection.upgrade(bearer), 101)
            connection.send(b"\x00\xffnonsense" * 100)
            with self.assertRaises(stranger.Ended):
                while True:
                    connection.receive()

    def test_huge_frame(self):
        """a frame of 100 MiB is not taken in"""
        bearer = self.agent_token(pod=daemons.agent_pod("node-b"))
        before = self.operator_memory()
        with stranger.Connection() as connection:
            self.assertEqual(connection.upgrade(bearer), 101)
            with self.assertRaises(stranger.Ended):
                connection.send(b"", claimed=100 << 20)
                for _ in range(100):
                    connection.send_raw(b"x" * (1 << 20))
                connection.receive()
        # Sanitizers keep freed memory aside, so there the figure says nothing.
        if not pods.sanitized(daemons.operator_process()):
            self.assertLess(self.operator_memory() - before, 16 << 20)

    @staticmethod
    def operator_memory():
        return daemons.value(daemons.operator_metrics(), "process_resident_memory_bytes") or 0

    def test_plain_text(self):
        """what is no TLS at all is ended"""
        address = (cluster.service_address("skep-operator"), stranger.PORT)
        with socket.create_connection(address, 15) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
            self.assertEqual(self.drain(plain), b"")

    @staticmethod
    def drain(plain):
        """Everything after the TLS alert; resets count as an end."""
        try:
            while piece := plain.recv(4096):
                if piece[:1] != b"\x15":
                    return piece
        except ConnectionError:
            pass
        return b""
