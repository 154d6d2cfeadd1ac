# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""The status of a policy tells the truth, and in the forms that tools wait for."""

from lib import cluster, daemons, kernel, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
POLICIES = "/apis/skep.dev/v1alpha1/namespaces/{}/observabilitypolicies"
REPAIRS = "skep_operator_status_repairs_total"
THEIRS = {
    "type": "Theirs",
    "status": "True",
    "reason": "Theirs",
    "message": "of somebody else",
    "lastTransitionTime": "2026-11-21T05:00:00Z",
}


class Status(ClusterTest):
    def test_kubectl_wait(self):
        """kubectl wait --for=condition=Ready works from the first second"""
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("tcp", WATCHED)
        cluster.kubectl(
            "wait", "--for=condition=Ready", "obsp/tcp", "-n", self.namespace, "--timeout=5s"
        )
        self.assertTrue(kernel.attached(shown))

    def test_no_matching_pods(self):
        """a policy that matches no pod is Ready and says NoMatchingPods"""
        self.apply_policy("nobody", {"app": "nobody"})
        shown = policies.wait_ready(self.namespace, "nobody", "NoMatchingPods")
        self.assertEqual(shown["status"]["pods"]["matched"], 0)

    def test_node_selector(self):
        """a node that nodeSelector leaves out is counted as skipped, and nothing is attached there"""
        inside = self.start_pod("inside", WATCHED, node="node-b")
        outside = self.start_pod("outside", WATCHED, node="node-a")
        self.apply_policy("canary", WATCHED, nodeSelector={"pool": "canary"})
        shown = policies.wait_ready(self.namespace, "canary", "Attached")
        self.assertEqual(shown["status"]["nodes"]["skipped"], 1)
        self.assertEqual(shown["status"]["nodes"]["ready"], 1)
        self.assertTrue(kernel.attached(inside))
        self.assertEqual(kernel.below(outside), [])

    def test_columns(self):
        """kubectl get shows what was asked, and the counts of pods and nodes"""
        self.start_pod("a", WATCHED, node="node-a")
        self.start_pod("b", WATCHED, node="node-b")
        self.apply_policy("both", WATCHED, [policies.TCP, policies.EXEC])
        policies.wait_ready(self.namespace, "both", "Attached")
        header, row = cluster.kubectl("get", "obsp", "-n", self.namespace).splitlines()
        self.assertEqual(header.split(), ["NAME", "READY", "PROBES", "PODS", "NODES", "AGE"])
        self.assertEqual(row.split()[:5], ["both", "True", "TCP,Exec", "2/2", "2/2"])

    def test_others_write(self):
        """what somebody else writes into a status is put right; what they add of their own stays"""
        self.apply_policy("defaced", {"app": "nobody"})
        policies.wait_ready(self.namespace, "defaced", "NoMatchingPods")
        before = daemons.value(daemons.operator_metrics(), REPAIRS)
        shown = cluster.get("obsp", "defaced", self.namespace)
        true_status = shown["status"]
        shown["status"] = dict(true_status, pods={"matched": 99, "attached": 99})
        shown["status"]["conditions"] = [*true_status["conditions"], THEIRS]
        path = POLICIES.format(self.namespace) + "/defaced/status"
        written = cluster.ApiConnection().request("PUT", path, shown)
        self.assertEqual(written["status"]["pods"]["matched"], 99)

        def repaired():
            found = cluster.get("obsp", "defaced", self.namespace)["status"]
            return found["pods"] == true_status["pods"] and found

        found = wait_until("the status is put right", repaired, 15)
        self.assertIn("Theirs", [condition["type"] for condition in found["conditions"]])
        self.assertEqual(daemons.value(daemons.operator_metrics(), REPAIRS), before + 1)

    def test_generation(self):
        """every condition tells the generation that it was judged by"""
        self.apply_policy("edited", WATCHED)
        policies.wait_ready(self.namespace, "edited")
        self.apply_policy("edited", {"app": "else"})
        shown = policies.wait_ready(self.namespace, "edited")
        generation = shown["metadata"]["generation"]
        self.assertEqual(generation, 2)
        self.assertEqual(shown["status"]["observedGeneration"], generation)
        told = {found["observedGeneration"] for found in shown["status"]["conditions"]}
        self.assertEqual(told, {generation})

    def test_written_only_on_change(self):
        """a settled policy's status is not written again"""
        self.apply_policy("settled", WATCHED)
        before = policies.wait_ready(self.namespace, "settled")
        self.start_pod("unrelated", {"app": "other"})
        after = policies.get(self.namespace, "settled")
        self.assertEqual(
            after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]
        )

    def test_event(self):
        """an Event tells that the policy became Ready"""
        self.start_pod("watched", WATCHED)
        self.apply_policy("tcp", WATCHED)
        policies.wait_ready(self.namespace, "tcp", "Attached")
        wait_until("an Event of the policy", lambda: self.events("tcp"), 15)

    def events(self, name):
        return [
            event
            for event in cluster.get("events", namespace=self.namespace)
            if event["involvedObject"]["kind"] == policies.KIND
            and event["involvedObject"]["name"] == name
        ]
