# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Bad policies are refused, by the API server or by the status, and do no harm to others."""

from lib import cluster, kernel, policies
from lib.case import ClusterTest

WATCHED = {"app": "watched"}


class BadInput(ClusterTest):
    def refused(self, manifest):
        """What the API server says against it."""
        answer = cluster.create(manifest, check=False)
        found = cluster.kubectl(
            "get", "obsp", manifest["metadata"]["name"], "-n", self.namespace, check=False
        )
        self.assertIn("NotFound", found)
        return answer

    def policy(self, name, **how):
        return policies.policy(self.namespace, name, **how)

    def test_unknown_probe(self):
        """an unknown probe is refused, and the answer lists the known ones"""
        answer = self.refused(self.policy("unknown", probes=[{"type": "Telepathy"}]))
        self.assertIn("TCP", answer)

    def test_twice(self):
        """a probe that stands twice is refused"""
        self.assertIn("uplicate", self.refused(self.policy("twice", probes=[policies.TCP] * 2)))

    def test_too_many(self):
        """more probes than there are types are refused"""
        probes = [{"type": f"P{number}"} for number in range(100)]
        self.refused(self.policy("many", probes=probes))

    def test_none(self):
        """a policy without a probe is refused"""
        self.refused(self.policy("none", probes=[]))

    def test_huge_label(self):
        """a label value of 1 MiB is refused"""
        self.refused(self.policy("huge", labels={"app": "x" * (1 << 20)}))

    def not_accepted(self, name, word, **spec):
        """Whichever judge is first: newer API servers refuse by the CRD's rules."""
        answer = cluster.create(policies.policy(self.namespace, name, **spec), check=False)
        if "created" not in answer:
            self.assertIn(word, answer)
            return
        shown = policies.wait_condition(self.namespace, name, "Accepted", "False", "InvalidSpec")
        self.assertIn(word, policies.condition(shown, "Accepted")["message"])
        self.assertEqual(policies.condition(shown, "Ready")["status"], "False")
        self.assertEqual(policies.condition(shown, "Stalled")["status"], "True")

    def test_bad_selector(self):
        """a selector that no label can meet gets Accepted=False with the field and the remedy"""
        self.not_accepted("value", "spec.selector", labels={"app": "no label value!"})

    def test_operator_without_values(self):
        """In without values gets Accepted=False"""
        selector = {"matchExpressions": [{"key": "app", "operator": "In"}]}
        self.not_accepted("empty", "values", selector=selector)

    def test_bad_http(self):
        """settings of HTTP that are out of bounds are refused, with the field and the remedy"""

        def http(**settings):
            return [{"type": "HTTP", "http": settings}]

        self.not_accepted("slow", "10m", probes=http(slowThreshold="11m"))
        for field, value in (
            ("report", ["6xx"]),
            ("sampleOneIn", 0),
            ("ports", list(range(1, 18))),
            ("paths", "All"),
        ):
            answer = self.refused(self.policy(field.lower(), probes=http(**{field: value})))
            self.assertIn(f"http.{field}", answer)

    def test_others_go_on(self):
        """a bad policy beside it does not disturb a good one"""
        watched = self.start_pod("watched", WATCHED)
        self.not_accepted("bad", "spec.selector", labels={"app": "-"})
        self.apply_policy("good", WATCHED)
        policies.wait_ready(self.namespace, "good", "Attached")
        self.assertTrue(kernel.attached(watched))

    def test_mended(self):
        """a bad policy that is mended is carried out"""
        watched = self.start_pod("watched", WATCHED)
        self.not_accepted("mended", "spec.selector", labels={"app": "-"})
        self.apply_policy("mended", WATCHED)
        policies.wait_ready(self.namespace, "mended", "Attached")
        self.assertTrue(kernel.attached(watched))
