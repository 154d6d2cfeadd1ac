# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What happens when the agent, the operator or the API server goes away and comes back."""

import time

from lib import cluster, daemons, kernel, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
NODE = "node-a"


class Recovery(ClusterTest):
    def setUp(self):
        super().setUp()
        self.watched = self.start_pod("watched", WATCHED, node=NODE)
        self.apply_policy("tcp", WATCHED, [policies.TCP, policies.EXEC])
        policies.wait_ready(self.namespace, "tcp", "Attached")

    def test_agent_killed(self):
        """kill -9 of the agent: its programs go with it; it comes back and attaches in 2 s"""
        before = kernel.attached(self.watched)
        starts = daemons.value(daemons.agent_metrics(NODE), "skep_agent_starts_total")
        daemons.kill_agent(NODE)
        killed = time.monotonic()
        wait_until("the programs are gone", lambda: not kernel.attached(self.watched), 2)
        wait_until("a new agent", lambda: daemons.agent_process(NODE), 60, 0.02)
        began = time.monotonic()
        wait_until("programs again", lambda: kernel.attached(self.watched), 2)
        done = time.monotonic()
        self.measured = f"attached {done - killed:.1f} s after the kill"
        self.measured += f", {done - began:.1f} s after the new agent's start"
        after = kernel.attached(self.watched)
        self.assertEqual([hook for hook, *_ in after], [hook for hook, *_ in before])
        daemons.wait_agent_healthy(NODE)
        again = daemons.value(daemons.agent_metrics(NODE), "skep_agent_starts_total")
        self.assertEqual(again, starts + 1)

    def test_operator_killed(self):
        """kill -9 of the operator: agents go on; it comes back and nothing flaps"""
        before = kernel.attached(self.watched)
        shown = policies.get(self.namespace, "tcp")
        daemons.kill_operator()
        time.sleep(1)
        self.assertEqual(kernel.attached(self.watched), before)
        daemons.wait_operator_ready(90)
        self.apply_policy("next", WATCHED)
        policies.wait_ready(self.namespace, "next", "Attached", 30)
        self.assertEqual(kernel.attached(self.watched), before)
        self.assertEqual(
            policies.condition(policies.get(self.namespace, "tcp"), "Ready"),
            policies.condition(shown, "Ready"),
        )

    def test_agent_without_operator(self):
        """an agent that starts while the operator is away attaches by its last selection"""
        cluster.kubectl("scale", "deployment/skep-operator", "-n", cluster.SYSTEM, "--replicas=0")
        self.addCleanup(self.bring_operator_back)
        wait_until("no operator", lambda: not self.operators(), 90)
        daemons.kill_agent(NODE)
        wait_until("the programs are gone", lambda: not kernel.attached(self.watched), 2)
        wait_until("programs again", lambda: kernel.attached(self.watched), 60)

    @staticmethod
    def operators():
        selector = "app.kubernetes.io/name=skep-operator"
        return cluster.get("pods", namespace=cluster.SYSTEM, selector=selector)

    @staticmethod
    def bring_operator_back():
        cluster.kubectl("scale", "deployment/skep-operator", "-n", cluster.SYSTEM, "--replicas=1")
        daemons.wait_operator_ready(60)

    def test_api_server_restarted(self):
        """after a restart of the API server, changes and deletions are right"""
        before = kernel.attached(self.watched)
        self.start_pod("other", {"app": "other"}, node=NODE)
        cluster.restart("kube-apiserver")
        self.assertEqual(kernel.attached(self.watched), before)
        policies.delete(self.namespace, "tcp")
        self.apply_policy("other", {"app": "other"})
        wait_until("the deletion took effect", lambda: not kernel.attached(self.watched), 30)
        policies.wait_ready(self.namespace, "other", "Attached", 30)

    def test_changes_while_operator_away(self):
        """what changed while the operator was away holds when it is back"""
        cluster.kubectl("scale", "deployment/skep-operator", "-n", cluster.SYSTEM, "--replicas=0")
        self.addCleanup(self.bring_operator_back)
        wait_until("no operator", lambda: not self.operators(), 90)
        policies.delete(self.namespace, "tcp")
        self.assertTrue(kernel.attached(self.watched))
        pods.delete(self.namespace, "watched")
        fresh = self.start_pod("watched", WATCHED, node=NODE)
        self.bring_operator_back()
        self.apply_policy("later", WATCHED)
        policies.wait_ready(self.namespace, "later", "Attached", 30)
        self.assertTrue(kernel.attached(fresh))
