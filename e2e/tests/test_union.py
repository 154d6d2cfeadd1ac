# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Several policies on one pod share its programs: the union of what they ask."""

from lib import daemons, kernel, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
EXECS = 60


class Union(ClusterTest):
    def test_one_program_per_hook(self):
        """two policies on one pod: one program per hook, the same before and after"""
        shown = self.start_pod("shared", WATCHED)
        self.apply_policy("one", WATCHED)
        policies.wait_ready(self.namespace, "one", "Attached")
        alone = kernel.attached(shown)
        self.apply_policy("two", WATCHED, [policies.TCP, policies.EXEC])
        policies.wait_ready(self.namespace, "two", "Attached")
        self.assertEqual(kernel.attached(shown), alone)
        self.assertEqual(len(set(kernel.hooks(shown))), len(alone))
        policies.delete(self.namespace, "one")
        policies.wait_ready(self.namespace, "two", "Attached")
        self.assertEqual(kernel.attached(shown), alone)
        policies.delete(self.namespace, "two")
        wait_until("nothing is attached", lambda: not kernel.below(shown), 1)

    def test_no_gap(self):
        """deleting one of two policies loses no event of the other"""
        exec_probe = {"type": "Exec", "exec": {"arguments": "Raw"}}
        script = f"i=0; while [ $i -lt {EXECS} ]; do /bin/true $i; i=$((i+1)); sleep 0.05; done"
        shown = self.start_pod("busy", WATCHED)
        for name in ("one", "two"):
            self.apply_policy(name, WATCHED, [exec_probe])
            policies.wait_ready(self.namespace, name, "Attached")
        self.run_in_background(shown, script)
        for _ in range(3):
            policies.delete(self.namespace, "one")
            self.apply_policy("one", WATCHED, [exec_probe])
        seen = wait_until("the last exec", lambda: self.numbers(shown, EXECS - 1), 30)
        self.assertEqual(seen, list(range(EXECS)))

    def run_in_background(self, shown, script):
        name = shown["metadata"]["name"]
        pods.execute(
            self.namespace, name, "/bin/sh", "-c", f"({script}) </dev/null >/dev/null 2>&1 &"
        )

    def numbers(self, shown, last):
        """The arguments of /bin/true that were told; false until the last one is there."""
        node = shown["spec"]["nodeName"]
        told = daemons.events(node, namespace=self.namespace, binary="/bin/true")
        seen = [int(event["arguments"][-1]) for event in told]
        return seen if last in seen else None
