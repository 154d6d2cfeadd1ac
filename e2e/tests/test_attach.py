# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Programs are attached to the pods that match, to no other, and only as long as they match."""

import time

from lib import cluster, daemons, kernel, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
TCP_HOOKS = ["cgroup_inet_egress", "cgroup_sock_ops"]
SECOND = 1.0


class Attach(ClusterTest):
    """The kernel's own list decides, not what Skep says."""

    def wait_attached(self, shown, seconds=SECOND):
        wait_until("programs on the pod's cgroup", lambda: kernel.hooks(shown), seconds)

    def wait_detached(self, shown, seconds=SECOND):
        wait_until("no program on the pod's cgroup", lambda: not kernel.below(shown), seconds)

    def test_matching_pod(self):
        """a pod that matches has one TCP program per hook, one that does not has none"""
        matching = self.start_pod("matching", WATCHED)
        other = self.start_pod("other", {"app": "other"})
        self.apply_policy("tcp", WATCHED)
        policies.wait_ready(self.namespace, "tcp", "Attached")
        self.assertEqual(sorted(self.hook_names(matching)), TCP_HOOKS)
        self.assertEqual(kernel.below(other), [])

    @staticmethod
    def hook_names(shown):
        """bpftool before 6.8 writes "egress", later ones "cgroup_inet_egress"."""
        short = {"egress": TCP_HOOKS[0], "sock_ops": TCP_HOOKS[1]}
        return [short.get(hook, hook) for hook in kernel.hooks(shown)]

    def test_before_first_container(self):
        """no exec of a pod is missed, not even its first, when the policy was there before"""
        self.apply_policy("exec", WATCHED, [policies.EXEC])
        policies.wait_ready(self.namespace, "exec", "NoMatchingPods")
        command = ("/usr/bin/env", "-u", "first-of-all", "/bin/sleep", "infinity")
        shown = self.start_pod("early", WATCHED, command=command)
        node = shown["spec"]["nodeName"]
        seen = wait_until(
            "the event of the first exec",
            lambda: daemons.events(node, namespace=self.namespace, pod="early"),
        )
        binaries = [event["binary"] for event in seen]
        self.assertIn("/usr/bin/env", binaries)
        self.assertIn("/bin/sleep", binaries)

    def test_label_edit(self):
        """a label edit attaches, and detaches, within a second"""
        self.apply_policy("tcp", WATCHED)
        shown = self.start_pod("edited", {"app": "other"})
        policies.wait_ready(self.namespace, "tcp", "NoMatchingPods")
        self.assertEqual(kernel.below(shown), [])
        self.label("edited", "watched")
        self.wait_attached(shown)
        self.label("edited", "other")
        self.wait_detached(shown)

    def label(self, name, value):
        cluster.kubectl("label", "pod", name, "-n", self.namespace, "--overwrite", f"app={value}")

    def test_policy_edit(self):
        """an edit of the selector moves the programs from one pod to the other within a second"""
        one = self.start_pod("one", {"app": "one"})
        two = self.start_pod("two", {"app": "two"})
        self.apply_policy("tcp", {"app": "one"})
        policies.wait_ready(self.namespace, "tcp", "Attached")
        self.apply_policy("tcp", {"app": "two"})
        self.wait_attached(two)
        self.wait_detached(one)

    def test_policy_deletion(self):
        """deleting a policy takes its programs out of the kernel"""
        shown = self.start_pod("watched", WATCHED)
        agent = daemons.agent_process(shown["spec"]["nodeName"])
        before = kernel.held(agent)
        old_links = kernel.links(before)
        self.apply_policy("both", WATCHED, [policies.TCP, policies.EXEC])
        policies.wait_ready(self.namespace, "both", "Attached")
        loaded = kernel.held(agent)
        self.assertTrue(loaded & {number for _, _, number in kernel.attached(shown)})
        self.assertTrue(kernel.links(loaded) - old_links)
        policies.delete(self.namespace, "both")
        self.wait_detached(shown)
        wait_until("no link is left", lambda: kernel.links(loaded) <= old_links)
        # Programs that another policy of the node has loaded before must stay.
        ours = loaded - before
        wait_until("the programs are unloaded", lambda: not ours & kernel.programs().keys())
        others = f", {len(before)} of other policies stay" if before else ""
        self.measured = f"{len(ours)} programs unloaded{others}"

    def test_new_pod(self):
        """a new pod of a policy is attached within a second of its container's start"""
        self.apply_policy("tcp", WATCHED)
        policies.wait_ready(self.namespace, "tcp", "NoMatchingPods")
        cluster.create(pods.pod(self.namespace, "fresh", WATCHED))
        shown = cluster.get("pod", "fresh", self.namespace)
        wait_until("its container runs", lambda: pods.processes(shown, "sleep"), 60, 0.02)
        began = time.monotonic()
        self.wait_attached(shown)
        self.measured = f"{time.monotonic() - began:.2f} s"

    def test_suspend(self):
        """a suspended policy attaches nothing and says so"""
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("tcp", WATCHED)
        policies.wait_ready(self.namespace, "tcp", "Attached")
        self.apply_policy("tcp", WATCHED, suspend=True)
        policies.wait_ready(self.namespace, "tcp", "Suspended")
        self.wait_detached(shown)

    def test_same_name_elsewhere(self):
        """of two pods of one name on one node, only that of the policy's namespace is watched"""
        bank = self.make_namespace()
        ours = self.start_pod("ledger", WATCHED, node="node-a")
        theirs = self.start_pod("ledger", WATCHED, namespace=bank, node="node-a")
        self.apply_policy("both", WATCHED, [policies.TCP, policies.EXEC])
        policies.wait_ready(self.namespace, "both", "Attached")
        self.assertTrue(kernel.attached(ours))
        self.assertEqual(kernel.below(theirs), [])
        for namespace in (bank, self.namespace):
            pods.execute(namespace, "ledger", "/usr/bin/id", "-u")
        wait_until(
            "our event", lambda: daemons.events("node-a", namespace=self.namespace, pod="ledger")
        )
        self.assertEqual(daemons.events("node-a", namespace=bank), [])

    def test_containers(self):
        """spec.containers attaches to these containers alone"""
        shown = self.start_pod(
            "two", WATCHED, containers=[pods.container("server"), pods.container("sidecar")]
        )
        self.apply_policy("server", WATCHED, containers=["server"])
        policies.wait_ready(self.namespace, "server", "Attached")
        self.assertEqual(kernel.attached(shown), [])
        self.assertEqual(len(kernel.below(shown)), len(TCP_HOOKS))
