# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""ProbeQuotas: what the policies of a namespace may ask for."""

from lib import cluster, daemons, kernel, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

NAME_LABEL = "kubernetes.io/metadata.name"
WATCHED = {"app": "watched"}
DNS = {"type": "DNS"}


class Quotas(ClusterTest):
    def apply_quota(self, name="quota", namespace=None, **bounds):
        """A quota for one namespace (this test's, unless another is named); returns its name."""
        name = f"{self.namespace}-{name}"
        labels = {NAME_LABEL: namespace or self.namespace}
        cluster.apply(
            {
                "apiVersion": policies.API_VERSION,
                "kind": "ProbeQuota",
                "metadata": {"name": name},
                "spec": {"namespaceSelector": {"matchLabels": labels}, **bounds},
            }
        )
        self.addCleanup(cluster.kubectl, "delete", "probequotas", name, "--ignore-not-found")
        return name

    def refusal(self, name):
        """What a policy that is over a quota is told."""
        shown = policies.wait_condition(
            self.namespace, name, "Accepted", "False", "QuotaExceeded"
        )
        for kind, status in (("Ready", "False"), ("Stalled", "True")):
            self.assertEqual(policies.condition(shown, kind)["status"], status)
            self.assertEqual(policies.condition(shown, kind)["reason"], "QuotaExceeded")
        return policies.condition(shown, "Accepted")["message"]

    def test_probe(self):
        """a probe that is not allowed is refused by name; an edit of the quota takes effect at once"""
        quota = self.apply_quota(allowedProbes=["TCP", "DNS"])
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("network", WATCHED, [policies.TCP, DNS])
        self.apply_policy("execs", WATCHED, [policies.TCP, policies.EXEC])
        message = self.refusal("execs")
        for word in (quota, "Exec", "allowed: TCP, DNS", "leave it out"):
            self.assertIn(word, message)
        policies.wait_ready(self.namespace, "network", "Attached")
        self.assertTrue(kernel.attached(shown))
        self.apply_quota(allowedProbes=["Exec", "TCP"])
        policies.wait_ready(self.namespace, "execs", "Attached")
        self.assertIn("DNS", self.refusal("network"))
        cluster.kubectl("delete", "probequotas", quota)
        policies.wait_ready(self.namespace, "network", "Attached")

    def test_refused_detaches(self):
        """a policy that a new quota refuses has its programs taken out, with an Event"""
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("tcp", WATCHED)
        policies.wait_ready(self.namespace, "tcp", "Attached")
        self.apply_quota(allowedProbes=["DNS"])
        wait_until("nothing is attached", lambda: not kernel.below(shown))
        self.refusal("tcp")
        wait_until("an Event tells it", lambda: self.told("tcp"))

    def told(self, name):
        return [
            event
            for event in cluster.get("events", namespace=self.namespace)
            if event["involvedObject"]["name"] == name and event["reason"] == "QuotaExceeded"
        ]

    def test_count(self):
        """of more policies than allowed, the oldest hold; when one goes, the next moves up"""
        self.apply_quota(policiesPerNamespace=2)
        for name in ("a", "b", "c"):
            self.apply_policy(name, WATCHED)
        created = {
            shown["metadata"]["name"]: shown["metadata"]["creationTimestamp"]
            for shown in cluster.get("obsp", namespace=self.namespace)
        }
        self.assertEqual(sorted(created, key=lambda name: (created[name], name)), ["a", "b", "c"])
        message = self.refusal("c")
        self.assertIn("allows 2 policies", message)
        self.assertIn("delete one", message)
        policies.wait_ready(self.namespace, "a")
        policies.wait_ready(self.namespace, "b")
        policies.delete(self.namespace, "a")
        policies.wait_ready(self.namespace, "c")

    def test_text(self):
        """asked text beyond the quota is refused; the default is lowered, and the policy says so"""
        quota = self.apply_quota(text="None")
        shown = self.start_pod("watched", WATCHED)
        raw = {"type": "Exec", "exec": {"arguments": "Raw"}}
        default = {"type": "Exec", "exec": {"failures": False}}
        self.apply_policy("raw", WATCHED, [raw])
        message = self.refusal("raw")
        self.assertIn("exec.arguments", message)
        self.assertIn(quota, message)
        self.apply_policy("default", WATCHED, [default])
        status = policies.wait_ready(self.namespace, "default", "Attached")
        self.assertIn(quota, policies.condition(status, "Accepted")["message"])
        pods.execute(self.namespace, "watched", "/bin/true", "word")
        event = wait_until("the exec is told", lambda: self.event(shown))
        self.assertNotIn("arguments", event)

    def event(self, shown):
        node = shown["spec"]["nodeName"]
        told = daemons.events(node, namespace=self.namespace, binary="/bin/true")
        return told and told[-1]

    def test_strictest(self):
        """of several quotas the strictest holds, and those of other namespaces do not"""
        self.apply_quota("wide", allowedProbes=["TCP", "DNS", "Exec"])
        strict = self.apply_quota("strict", allowedProbes=["DNS", "Exec"])
        self.apply_quota("elsewhere", namespace=self.make_namespace(), allowedProbes=[])
        self.apply_policy("tcp", WATCHED)
        self.assertIn(strict, self.refusal("tcp"))
        self.apply_policy("dns", WATCHED, [DNS])
        policies.wait_ready(self.namespace, "dns")

    def test_preview(self):
        """a preview is told which quota it would meet"""
        self.apply_quota(allowedProbes=["DNS"])
        self.apply_policy("later", WATCHED, mode="Preview")
        self.assertIn("TCP", self.refusal("later"))

    def test_cluster_policies(self):
        """a policy of the cluster is not bound"""
        self.apply_quota(allowedProbes=[])
        shown = self.start_pod("watched", WATCHED)
        name = self.apply_cluster_policy("tcp", {NAME_LABEL: self.namespace})
        policies.wait_ready(None, name, "Attached")
        self.assertTrue(kernel.attached(shown))

    def test_forms(self):
        """kubectl get shows a quota's bounds; a bad one is refused"""
        name = self.apply_quota(allowedProbes=["TCP"], policiesPerNamespace=3, text="None")
        header, row = cluster.kubectl("get", "pq", name).splitlines()
        self.assertEqual(header.split(), ["NAME", "PROBES", "POLICIES", "TEXT", "AGE"])
        self.assertEqual(row.split()[2:4], ["3", "None"])
        for bounds in (
            {"allowedProbes": ["Telepathy"]},
            {"policiesPerNamespace": -1},
            {"text": "Some"},
        ):
            with self.subTest(bounds), self.assertRaises(AssertionError):
                self.apply_quota("bad", **bounds)

    def test_unreadable(self):
        """a selector that no schema can refuse, and that cannot be read: an Event says what to do"""
        name = f"{self.namespace}-unreadable"
        spec = {"namespaceSelector": {"matchLabels": {"no key!": "x"}}, "policiesPerNamespace": 100000}
        metadata = {"name": name}
        quota = {"apiVersion": policies.API_VERSION, "kind": "ProbeQuota", "metadata": metadata}
        self.addCleanup(cluster.kubectl, "delete", "probequotas", name, "--ignore-not-found")
        cluster.apply({**quota, "spec": spec})
        event = wait_until("an Event tells it", lambda: self.told_of_quota(name))
        self.assertEqual(event["type"], "Warning")
        self.assertIn("spec.namespaceSelector.matchLabels", event["message"])

    @staticmethod
    def told_of_quota(name):
        for event in cluster.get("events", namespace="default"):
            if event["involvedObject"]["kind"] == "ProbeQuota":
                if event["involvedObject"]["name"] == name and event["reason"] == "InvalidSpec":
                    return event
        return None

    def test_one_list(self):
        """a quota can name every probe that a policy can ask for, and no other"""
        shared = [
            self.schema("probequotas")["allowedProbes"]["items"]["enum"],
            self.schema("observabilitypolicies")["probes"]["items"]["properties"]["type"]["enum"],
        ]
        self.assertEqual(*shared)

    @staticmethod
    def schema(plural):
        definition = cluster.get("customresourcedefinition", f"{plural}.skep.dev")
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        return schema["properties"]["spec"]["properties"]
