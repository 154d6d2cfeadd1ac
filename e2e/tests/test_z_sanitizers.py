# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Daemons built with sanitizers end without a word of theirs: no leak, no misuse of memory."""

import os
import signal

from lib import cluster, daemons, pods
from lib.case import ClusterTest
from lib.shell import wait_until

COMPLAINTS = ("Sanitizer", "runtime error")
KILLED = 128 + signal.SIGKILL  # by the other tests
AGAIN_SECONDS = 330  # the kubelet waits up to 300 s before it starts a container again


class Sanitizers(ClusterTest):
    """By its name this file is the last, so the daemons have done every other test's work."""

    def setUp(self):
        super().setUp()
        if not pods.sanitized(daemons.operator_process()):
            self.skipTest("the daemons are built without sanitizers; e2e/run --sanitized")

    def test_operator(self):
        """the operator ends on SIGTERM with 0, and leaks nothing"""
        self.ends_well(daemons.operator_pod(), "skep-operator")
        daemons.wait_operator_ready(AGAIN_SECONDS)

    def test_agents(self):
        """so does the agent of every node"""
        for node in cluster.NODES:
            self.ends_well(daemons.agent_pod(node), "skep-node-agent")
            daemons.wait_agent_healthy(node, AGAIN_SECONDS)

    def ends_well(self, shown, program):
        last = self.last_end(shown)
        if last:
            self.assertIn(last["exitCode"], (0, KILLED))
            self.no_complaint(shown)
        (pid,) = pods.processes(shown, program)
        self.assertTrue(pods.sanitized(pid))
        container = shown["status"]["containerStatuses"][0]["containerID"]
        os.kill(pid, signal.SIGTERM)
        ended = wait_until("its end", lambda: self.end_of(shown, container), AGAIN_SECONDS, 0.5)
        self.no_complaint(shown)
        self.assertEqual(ended["exitCode"], 0)

    @staticmethod
    def last_end(shown):
        """How the pod's container ended the last time, {} if it has not."""
        metadata = shown["metadata"]
        now = cluster.get("pod", metadata["name"], metadata["namespace"])
        return now["status"]["containerStatuses"][0]["lastState"].get("terminated", {})

    def end_of(self, shown, container):
        last = self.last_end(shown)
        return last if last.get("containerID") == container else None

    def no_complaint(self, shown):
        metadata = shown["metadata"]
        log = cluster.kubectl(
            "logs", "--previous", metadata["name"], "-n", metadata["namespace"], "--tail=-1"
        )
        lines = log.splitlines()
        found = [at for at, line in enumerate(lines) if any(word in line for word in COMPLAINTS)]
        self.assertEqual(found, [], "\n".join(lines[found[0] :][:80]) if found else "")
