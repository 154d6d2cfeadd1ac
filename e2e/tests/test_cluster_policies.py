# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Policies of the cluster: pods of many namespaces, by the namespaces' labels."""

from lib import cluster, daemons, kernel, pods, policies
from lib.case import ClusterTest
from lib.shell import run, wait_until

NAME_LABEL = "kubernetes.io/metadata.name"
WATCHED = {"app": "watched"}


class ClusterPolicies(ClusterTest):
    def setUp(self):
        super().setUp()
        self.team = {"team": self.namespace}  # a label that no namespace of another test has

    def join(self, namespace):
        """Puts the label that the test's policies look for on a namespace."""
        cluster.kubectl("label", "namespace", namespace, f"team={self.namespace}")

    def test_namespaces(self):
        """pods of the namespaces that it takes are observed, of others are not, and it says so"""
        elsewhere, outside = self.make_namespace(), self.make_namespace()
        self.join(self.namespace)
        self.join(elsewhere)
        shown = [self.start_pod("a", WATCHED, name) for name in (self.namespace, elsewhere, outside)]
        name = self.apply_cluster_policy("tcp", self.team, WATCHED)
        status = policies.wait_ready(None, name, "Attached")["status"]
        self.assertEqual(status["pods"], {"matched": 2, "attached": 2})
        self.assertTrue(kernel.attached(shown[0]))
        self.assertTrue(kernel.attached(shown[1]))
        self.assertEqual(kernel.below(shown[2]), [])

    def test_labels_change(self):
        """a namespace that comes to bear the label, or bears it no more, is told at once"""
        shown = self.start_pod("a", WATCHED)
        name = self.apply_cluster_policy("tcp", self.team)
        policies.wait_ready(None, name, "NoMatchingPods")
        self.assertEqual(kernel.below(shown), [])
        self.join(self.namespace)
        wait_until("it is attached", lambda: kernel.attached(shown))
        policies.wait_ready(None, name, "Attached")
        cluster.kubectl("label", "namespace", self.namespace, "team-")
        wait_until("nothing is attached", lambda: not kernel.below(shown))
        policies.wait_ready(None, name, "NoMatchingPods")

    def test_by_name(self):
        """a namespace is selected by its name, whatever its API server does for that"""
        shown = self.start_pod("a", WATCHED)
        name = self.apply_cluster_policy("tcp", {NAME_LABEL: self.namespace})
        policies.wait_ready(None, name, "Attached")
        self.assertTrue(kernel.attached(shown))

    def test_both_scopes(self):
        """with a policy of the namespace, the pod has one program per hook, and events name both"""
        shown = self.start_pod("a", WATCHED)
        self.join(self.namespace)
        self.apply_policy("own", WATCHED, [policies.EXEC, policies.TCP])
        policies.wait_ready(self.namespace, "own", "Attached")
        alone = kernel.attached(shown)
        name = self.apply_cluster_policy("all", self.team, probes=[policies.EXEC, policies.TCP])
        policies.wait_ready(None, name, "Attached")
        self.assertEqual(kernel.attached(shown), alone)
        pods.execute(self.namespace, "a", "/bin/true")
        event = wait_until("the exec is told", lambda: self.event(shown))
        self.assertEqual(event["policies"], sorted([name, f"{self.namespace}/own"]))
        policies.delete(self.namespace, "own")
        policies.wait_ready(None, name, "Attached")
        self.assertEqual(kernel.attached(shown), alone)

    def event(self, shown):
        told = daemons.events(
            shown["spec"]["nodeName"], namespace=self.namespace, binary="/bin/true"
        )
        return told and told[-1]

    def test_forms(self):
        """kubectl get, describe and explain know it as they know policies of a namespace"""
        self.start_pod("a", WATCHED)
        name = self.apply_cluster_policy("tcp", {NAME_LABEL: self.namespace})
        cluster.kubectl("wait", "--for=condition=Ready", f"cobsp/{name}", "--timeout=15s")
        header, row = cluster.kubectl("get", "cobsp", name).splitlines()
        self.assertEqual(header.split(), ["NAME", "READY", "PROBES", "PODS", "NODES", "AGE"])
        self.assertEqual(row.split()[:5], [name, "True", "TCP", "1/1", "1/1"])
        wait_until("an Event of it", lambda: self.told(name))
        self.assertIn("FIELDS", cluster.kubectl("explain", "cobsp.spec.namespaceSelector"))

    @staticmethod
    def told(name):
        return [
            event
            for event in cluster.get("events", namespace="default")
            if event["involvedObject"]["kind"] == policies.CLUSTER_KIND
            and event["involvedObject"]["name"] == name
        ]

    def test_one_source(self):
        """the definitions of both scopes say the same of all that they share"""
        run(cluster.REPOSITORY / "crds/make-cluster-policy", "--check")
