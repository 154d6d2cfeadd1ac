# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Policies that end by themselves, and those that only tell what they would do."""

import datetime

from lib import cluster, daemons, kernel, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
SHORT = "1s"


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


class Expiry(ClusterTest):
    def expired(self, name):
        return policies.wait_condition(self.namespace, name, "Expired", "True", "Expired", 30)

    def test_expires(self):
        """a policy whose time is over detaches, says so and how to go on, and so does an Event"""
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("short", WATCHED, expiresAfter="1h")
        wait_until("it is attached", lambda: kernel.attached(shown))
        self.apply_policy("short", WATCHED, expiresAfter=SHORT)
        status = self.expired("short")["status"]
        wait_until("nothing is attached", lambda: not kernel.below(shown))
        conditions = {found["type"]: found for found in status["conditions"]}
        self.assertEqual(conditions["Ready"]["status"], "False")
        self.assertEqual(conditions["Ready"]["reason"], "Expired")
        self.assertIn("change spec.expiresAfter", conditions["Ready"]["message"])
        self.assertEqual(conditions["Stalled"]["status"], "True")
        wait_until("an Event tells it", lambda: self.told("short"))

    def told(self, name):
        return [
            event
            for event in cluster.get("events", namespace=self.namespace)
            if event["involvedObject"]["name"] == name and event["reason"] == "Expired"
        ]

    def test_renewed(self):
        """a change of the spec starts its time anew"""
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("renewed", WATCHED, expiresAfter=SHORT)
        self.expired("renewed")
        self.apply_policy("renewed", WATCHED, expiresAfter="1h")
        policies.wait_ready(self.namespace, "renewed", "Attached")
        policies.wait_condition(self.namespace, "renewed", "Expired", "False")
        self.assertTrue(kernel.attached(shown))

    def test_restart(self):
        """an operator that is killed goes on counting where it was, and what is over stays so"""
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("long", WATCHED, expiresAfter="2h")
        self.apply_policy("short", WATCHED, expiresAfter=SHORT)
        before = policies.wait_ready(self.namespace, "long", "Attached")["status"]["expiresAt"]
        self.expired("short")
        daemons.kill_operator()
        daemons.wait_operator_ready(90)
        self.apply_policy("new", WATCHED)
        policies.wait_ready(self.namespace, "new", "Attached", 30)
        self.assertEqual(policies.get(self.namespace, "long")["status"]["expiresAt"], before)
        self.assertEqual(self.expired("short")["status"]["pods"]["matched"], 0)
        self.assertTrue(kernel.attached(shown))
        created = policies.get(self.namespace, "long")["metadata"]["creationTimestamp"]
        lasts = moment(before) - moment(created)
        self.assertLess(abs(lasts - datetime.timedelta(hours=2)), datetime.timedelta(minutes=1))

    def test_bounds(self):
        """a time out of bounds, or none at all, is refused with the remedy"""
        for given in ("721h", "0s", "soon"):
            with self.subTest(given):
                manifest = policies.policy(self.namespace, "bad", expiresAfter=given)
                answer = cluster.apply(manifest, check=False)
                if "created" not in answer and "configured" not in answer:
                    self.assertIn("expiresAfter", answer)
                    continue
                shown = policies.wait_condition(self.namespace, "bad", "Accepted", "False")
                message = policies.condition(shown, "Accepted")["message"]
                self.assertIn("spec.expiresAfter", message)
                self.assertIn("use 1s to 720h", message)


class Preview(ClusterTest):
    def test_preview(self):
        """a preview attaches nothing and counts what it matches; made Active, it is carried out"""
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("later", WATCHED, mode="Preview")
        policies.wait_ready(self.namespace, "later", "Preview")
        wait_until("the pod is counted", lambda: self.matched("later") == 1)
        status = policies.get(self.namespace, "later")["status"]
        self.assertEqual(status["pods"], {"matched": 1, "attached": 0})
        self.assertEqual(status["nodes"]["matched"], 1)
        self.assertEqual(kernel.below(shown), [])
        self.apply_policy("later", WATCHED)
        policies.wait_ready(self.namespace, "later", "Attached")
        self.assertTrue(kernel.attached(shown))
        self.apply_policy("later", WATCHED, mode="Preview")
        policies.wait_ready(self.namespace, "later", "Preview")
        wait_until("nothing is attached", lambda: not kernel.below(shown))

    def test_follows(self):
        """a preview follows the pods that come and go"""
        self.apply_policy("later", WATCHED, mode="Preview")
        policies.wait_ready(self.namespace, "later", "Preview")
        self.start_pod("watched", WATCHED)
        wait_until("the pod is counted", lambda: self.matched("later") == 1)
        message = policies.condition(policies.get(self.namespace, "later"), "Ready")["message"]
        self.assertIn("1 pod on 1 node would be observed", message)

    def matched(self, name):
        return policies.get(self.namespace, name)["status"]["pods"]["matched"]
