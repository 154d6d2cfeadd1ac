# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""ProbeQuotas: what the policies of a namespace may ask for."""

import time

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

    def test_none(self):
        """where a quota allows no policies, what it says can be followed"""
        quota = self.apply_quota(policiesPerNamespace=0)
        self.apply_policy("tcp", WATCHED)
        message = self.refusal("tcp")
        self.assertIn(f'"{quota}" allows no policies', message)
        self.assertIn("ask whoever runs the cluster", message)
        self.assertNotIn("delete", message)

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

    def test_budget(self):
        """a budget beyond the quota is refused, also of a preview; one within it holds"""
        quota = self.apply_quota(eventsPerSecond=5, seriesPerPolicy=500)
        self.apply_policy("events", WATCHED, [policies.EXEC], budget={"eventsPerSecond": 6})
        message = self.refusal("events")
        for word in ("spec.budget.eventsPerSecond", quota, "5 events per second", "leave it out"):
            self.assertIn(word, message)
        self.apply_policy("series", WATCHED, budget={"series": 501}, mode="Preview")
        self.assertIn("spec.budget.series", self.refusal("series"))
        self.apply_policy("within", WATCHED, budget={"eventsPerSecond": 5, "series": 500})
        policies.wait_ready(self.namespace, "within")
        self.apply_policy("lowered", WATCHED)
        shown = policies.wait_ready(self.namespace, "lowered")
        told = policies.condition(shown, "Accepted")["message"]
        self.assertIn(f'"{quota}" allows it 5 events per second on a node', told)
        self.assertIn(f'"{quota}" allows it 500 series on a node', told)

    def flood(self, count):
        """So many execs, one after the other, beside that of the shell."""
        loop = f"i=0; while [ $i -lt {count} ]; do /bin/true; i=$((i+1)); done"
        pods.execute(self.namespace, "watched", "/bin/sh", "-c", loop)

    def told_execs(self, shown):
        return len(
            daemons.events(shown["spec"]["nodeName"], namespace=self.namespace, pod="watched")
        )

    def shed_events(self, shown, name):
        return daemons.value(
            daemons.agent_metrics(shown["spec"]["nodeName"]),
            "skep_events_lost_total",
            stage="rate_limited",
            k8s_namespace_name=self.namespace,
            policy=name,
        )

    def test_events(self):
        """a flood of events is bounded, counted and told; a wider quota lets all through at once"""
        quota = self.apply_quota(eventsPerSecond=5)
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("execs", WATCHED, [policies.EXEC])
        policies.wait_ready(self.namespace, "execs", "Attached")
        begin = time.monotonic()
        self.flood(150)
        seconds = time.monotonic() - begin

        def all_counted():
            told, shed = self.told_execs(shown), self.shed_events(shown, "execs")
            execs = daemons.pod_metric(shown, "skep_exec_total")
            assert execs >= 151 and told + shed == execs, f"{told} told, {shed} shed of {execs}"
            return told, shed

        told, shed = wait_until("each exec is told or counted", all_counted)
        self.assertLessEqual(told, 5 * (seconds + 3))
        shows = policies.wait_condition(
            self.namespace, "execs", "Throttled", "True", "EventsShed", seconds=30
        )
        for word in (quota, "5 a second", "1 of 1 node"):
            self.assertIn(word, policies.condition(shows, "Throttled")["message"])
        self.assertEqual(policies.condition(shows, "Ready")["status"], "True")
        self.apply_quota(eventsPerSecond=100000)
        policies.wait_condition(self.namespace, "execs", "Throttled", "False", seconds=60)
        self.flood(150)
        wait_until("all are told", lambda: self.told_execs(shown) >= told + 151)
        self.assertEqual(self.shed_events(shown, "execs"), shed)
        self.measured = f"{told} of {told + shed:.0f} told in {seconds:.1f} s"

    def test_series(self):
        """series beyond the quota are added up in one; a wider quota tells them apart again"""
        quota = self.apply_quota(seriesPerPolicy=1)
        shown = self.start_pod("watched", WATCHED)
        self.apply_policy("execs", WATCHED, [policies.EXEC])
        shows = policies.wait_condition(
            self.namespace, "execs", "Throttled", "True", "SeriesOverflowed", seconds=60
        )
        message = policies.condition(shows, "Throttled")["message"]
        for word in (quota, "beyond 1 series", "overflow"):
            self.assertIn(word, message)
        self.flood(10)

        def overflow():
            return daemons.pod_metric(shown, "skep_exec_total", otel_metric_overflow="true")

        wait_until("all are in the overflow series", lambda: (overflow() or 0) >= 11)
        self.apply_quota(seriesPerPolicy=10000)
        policies.wait_condition(self.namespace, "execs", "Throttled", "False", seconds=60)
        before = overflow()
        self.flood(10)
        wait_until(
            "they have a series of their own",
            lambda: (daemons.pod_metric(shown, "skep_exec_total") or 0) >= before + 11,
        )
        self.assertEqual(overflow(), before)

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
        name = self.apply_quota(
            allowedProbes=["TCP"],
            policiesPerNamespace=3,
            text="None",
            eventsPerSecond=7,
            seriesPerPolicy=100,
        )
        header, row = cluster.kubectl("get", "pq", name).splitlines()
        self.assertEqual(
            header.split(), ["NAME", "PROBES", "POLICIES", "TEXT", "EVENTS/S", "SERIES", "AGE"]
        )
        self.assertEqual(row.split()[2:6], ["3", "None", "7", "100"])
        explained = cluster.kubectl("explain", "pq.spec")
        for field in ("eventsPerSecond", "seriesPerPolicy", "policiesPerNamespace", "text"):
            self.assertIn(field, explained)
        for bounds in (
            {"allowedProbes": ["Telepathy"]},
            {"policiesPerNamespace": -1},
            {"text": "Some"},
            {"eventsPerSecond": 0},
            {"eventsPerSecond": 100001},
            {"seriesPerPolicy": 0},
            {"seriesPerPolicy": 10001},
            {"seriesPerPolicy": "many"},
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
