# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What the Exec probe tells of the commands that run in a pod."""

from lib import daemons, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}


class Exec(ClusterTest):
    def watch(self, **settings):
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("exec", WATCHED, [{"type": "Exec", "exec": settings}])
        policies.wait_ready(self.namespace, "exec", "Attached")
        return shown

    def wait_event(self, shown, binary, **fields):
        node = shown["spec"]["nodeName"]
        return wait_until(
            f"an event of {binary}",
            lambda: daemons.events(node, namespace=self.namespace, binary=binary, **fields),
        )[-1]

    def test_kubectl_exec(self):
        """kubectl exec is told with pod, container, workload, ids and arguments"""
        shown = self.watch()
        pods.execute(self.namespace, "watched", "/usr/bin/id", "-u", "root")
        event = self.wait_event(shown, "/usr/bin/id")
        self.assertEqual(event["type"], "Exec")
        self.assertEqual(event["pod"], "watched")
        self.assertEqual(event["container"], "main")
        self.assertEqual(event["workload"], {"kind": "Pod", "name": "watched"})
        self.assertEqual(event["policies"], [f"{self.namespace}/exec"])
        self.assertEqual(event["arguments"][-2:], ["-u", "root"])
        self.assertEqual(event["uid"], 0)
        self.assertGreater(event["pid"], 1)
        self.assertGreater(event["parent_pid"], 0)
        self.assertEqual(event.get("return_code", 0), 0)

    def test_redacted(self):
        """by default, what looks like a secret does not leave the node"""
        shown = self.watch()
        secret = "hunter-two"
        pods.execute(self.namespace, "watched", "/bin/echo", f"--password={secret}", "plain")
        event = self.wait_event(shown, "/bin/echo")
        self.assertNotIn(secret, str(event))
        self.assertIn("plain", event["arguments"])

    def test_raw(self):
        """arguments: Raw tells them as they are"""
        shown = self.watch(arguments="Raw")
        pods.execute(self.namespace, "watched", "/bin/echo", "--password=visible")
        self.assertIn("--password=visible", self.wait_event(shown, "/bin/echo")["arguments"])

    def test_no_arguments(self):
        """arguments: None tells the binary only"""
        shown = self.watch(arguments="None")
        pods.execute(self.namespace, "watched", "/bin/echo", "unseen")
        self.assertNotIn("unseen", str(self.wait_event(shown, "/bin/echo")))

    def test_failures(self):
        """a command that cannot be started is told with its return code"""
        shown = self.watch(failures=True)
        pods.execute(self.namespace, "watched", "/bin/sh", "-c", "/no/such/program; true")
        event = self.wait_event(shown, "/no/such/program")
        self.assertEqual(event["return_code"], -2)

    def test_counter(self):
        """the counter of execs grows with each, and bears the pod's labels"""
        shown = self.watch()
        before = daemons.pod_metric(shown, "skep_exec_total") or 0
        for _ in range(5):
            pods.execute(self.namespace, "watched", "/bin/true")
        wait_until(
            "five execs more",
            lambda: daemons.pod_metric(shown, "skep_exec_total") >= before + 5,
        )
