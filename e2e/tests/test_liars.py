# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Tenants that lie in what they may write of a pod: they get nothing by it, nor spoil anything."""

import json
import time

from lib import cluster, daemons, kernel, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
NODE = "node-a"
FINALIZER = "e2e.skep.dev/stays"
HUGE = 300 * 1024
GROWTH_BYTES = 64 * 1024


class Liars(ClusterTest):
    def watch(self):
        self.apply_policy("tcp", WATCHED, [policies.TCP, policies.EXEC])
        policies.wait_ready(self.namespace, "tcp", "Attached")

    def test_mirror(self):
        """a pod that says it mirrors another tenant's pod gets nothing attached to that one"""
        victim = self.start_pod("ledger", {"app": "ledger"}, self.make_namespace(), node=NODE)
        self.start_pod("honest", WATCHED, node=NODE)
        self.watch()
        self.make_mirror(victim["metadata"]["uid"])
        matched = wait_until("the liar is matched", lambda: self.matched() == 2)
        self.assertTrue(matched)
        # Whoever comes after it is attached, so it has had its turn.
        later = self.start_pod("later", WATCHED, node=NODE)
        wait_until("the later pod is attached", lambda: kernel.attached(later))
        time.sleep(1)
        self.assertEqual(kernel.below(victim), [])

    def matched(self):
        return policies.get(self.namespace, "tcp").get("status", {}).get("pods", {}).get("matched")

    def make_mirror(self, uid):
        """The kubelet deletes a mirror that is none of its own; the finalizer keeps it there."""
        manifest = pods.pod(self.namespace, "liar", WATCHED)
        manifest["metadata"]["annotations"] = {
            "kubernetes.io/config.mirror": uid,
            "kubernetes.io/config.hash": uid,
            "kubernetes.io/config.source": "file",
        }
        manifest["metadata"]["finalizers"] = [FINALIZER]
        manifest["spec"]["nodeName"] = NODE
        cluster.create(manifest)
        self.addCleanup(self.let_go, "liar")

    def let_go(self, name):
        bare = json.dumps({"metadata": {"finalizers": None}})
        cluster.kubectl("patch", "pod", name, "-n", self.namespace, "--type=merge", "-p", bare)

    def start_owned(self, api_version, kind, name, uid):
        manifest = pods.pod(self.namespace, "owned", WATCHED, node=NODE)
        manifest["metadata"]["ownerReferences"] = [
            {
                "apiVersion": api_version,
                "kind": kind,
                "name": name,
                "uid": uid,
                "controller": True,
            }
        ]
        return pods.start(manifest)[0]

    def lines(self):
        """The agent's metrics of this test's namespace; all of it must be well-formed."""
        text = daemons.http_get(daemons.agent_pod(NODE), 9810, "/metrics")
        for line in text.splitlines():
            names = [name for name, _ in daemons.LABEL.findall(line)]
            self.assertEqual(len(names), len(set(names)), line[:500])
        return [line for line in text.splitlines() if f'"{self.namespace}"' in line]

    def labels(self):
        lines = wait_until("metrics of the pod", self.lines)
        return [dict(daemons.LABEL.findall(line)) for line in lines]

    def test_owner_kind(self):
        """an owner of a kind that makes a label twice: told in labels of our own"""
        uid = cluster.get("namespace", self.namespace)["metadata"]["uid"]
        self.start_owned("v1", "Namespace", self.namespace, uid)
        self.watch()
        for labels in self.labels():
            self.assertEqual(labels["k8s_namespace_name"], self.namespace)
            self.assertEqual(labels["k8s_workload_kind"], "Namespace")
            self.assertEqual(labels["k8s_workload_name"], self.namespace)

    def test_owner_name(self):
        """an owner with a name of 300 KiB counts as none, and the metrics stay small"""
        before = self.size()
        uid = "00000000-0000-4000-8000-000000000001"
        shown = self.start_owned("example.com/v1", "Widget", "x" * HUGE, uid)
        self.watch()
        self.assertTrue(kernel.attached(shown))
        for labels in self.labels():
            self.assertEqual(labels["k8s_pod_name"], "owned")
            self.assertNotIn("k8s_workload_name", labels)
        self.assertLess(self.size() - before, GROWTH_BYTES)

    @staticmethod
    def size():
        return len(daemons.http_get(daemons.agent_pod(NODE), 9810, "/metrics"))
