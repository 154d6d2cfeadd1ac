# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Memory: small while at work, and no leak over a thousand policies."""

from lib import cluster, daemons, kernel, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
AGENT_KIB = 12 * 1024
OPERATOR_KIB = 20 * 1024
POLICIES = 1000
BATCH = 100
WARM = 3  # batches until the heap has its size; each further thousand grows it by less
GROWTH_KIB = 3072


class Limits(ClusterTest):
    def setUp(self):
        super().setUp()
        self.watched = self.start_pod("watched", WATCHED, node="node-a")
        self.agent = daemons.agent_process("node-a")
        self.operator = daemons.operator_process()
        if pods.sanitized(self.agent):
            self.skipTest("the daemons are built with sanitizers")

    def test_resident(self):
        """agent within 12 MiB with both probes, its peak included; operator within 20 MiB"""
        daemons.replace_agent("node-a")  # what other tests made it hold is not asked here
        agent = daemons.agent_process("node-a")
        self.apply_policy("both", WATCHED, [policies.TCP, policies.EXEC])
        policies.wait_ready(self.namespace, "both", "Attached", 30)
        self.assertLessEqual(pods.resident_kib(agent), AGENT_KIB)
        self.assertLessEqual(pods.resident_kib(agent, "VmHWM"), AGENT_KIB)
        self.assertLessEqual(pods.resident_kib(self.operator), OPERATOR_KIB)

    def test_thousand_policies(self):
        """1,000 policies made and deleted leave no memory and no program behind"""
        self.api = cluster.ApiConnection()
        self.addCleanup(self.api.connection.close)
        self.path = f"/apis/{policies.API_VERSION}/namespaces/{self.namespace}/observabilitypolicies"
        for number in range(WARM):
            self.batch(f"warm{number}")
        before = [pods.resident_kib(pid) for pid in (self.agent, self.operator)]
        for number in range(POLICIES // BATCH):
            self.batch(f"b{number}")
        wait_until("nothing is attached", lambda: not kernel.below(self.watched))
        after = [pods.resident_kib(pid) for pid in (self.agent, self.operator)]
        for name, early, late in zip(("agent", "operator"), before, after):
            self.assertLess(late - early, GROWTH_KIB, f"{name}: {early} KiB, then {late} KiB")

    def batch(self, name):
        manifests = [
            policies.policy(self.namespace, f"{name}-{number}", WATCHED, [policies.TCP])
            for number in range(BATCH)
        ]
        for manifest in manifests:
            self.api.request("POST", self.path, manifest)
        policies.wait_ready(self.namespace, manifests[-1]["metadata"]["name"], seconds=60)
        self.api.request("DELETE", self.path)
