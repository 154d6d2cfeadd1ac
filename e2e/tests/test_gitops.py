# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What GitOps tools make of a policy, at every moment of its life."""

import json

from lib import cluster, kernel, kstatus, policies
from lib.case import ClusterTest
from lib.recording import Recording
from lib.shell import run, wait_until

WATCHED = {"app": "watched"}
JUDGE = cluster.REPOSITORY / "deploy/gitops/argocd/judge"
EDITS = 8

FULL = {
    "selector": {"matchLabels": {"app": "watched"}},
    "nodeSelector": {"pool": "none"},
    "containers": ["server"],
    "budget": {"eventsPerSecond": 5, "series": 100},
    "probes": [
        {"type": "TCP"},
        {"type": "Exec", "exec": {"failures": True}},
        {"type": "DNS", "dns": {"failures": True}},
        {"type": "HTTP", "http": {"ports": [80], "report": ["5xx"], "routes": ["/carts/{id}"]}},
    ],
}
BARE = {
    "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
    "probes": [{"type": "Exec"}, {"type": "DNS"}, {"type": "HTTP"}],
}


def argocd(shown):
    """The health by which Argo CD goes."""
    return run(JUDGE, stdin=json.dumps(shown)).partition(":")[0]


def told(shown):
    """Both judges' words, for one version of a policy."""
    return kstatus.of(shown), argocd(shown)


def without_repeats(words):
    return [word for at, word in enumerate(words) if at == 0 or words[at - 1] != word]


class GitOps(ClusterTest):
    def record(self, name, generation, reason):
        """Waits until the recording has the policy settled for a generation, for this reason."""
        recording = self.recording

        def settled():
            versions = recording.of_generation(generation)
            found = policies.condition(versions[-1], "Ready") if versions else {}
            return found.get("observedGeneration") == generation and found.get("reason") == reason

        wait_until(f"generation {generation} of {name} is {reason}", settled, 30)
        return recording.of_generation(generation)

    def test_from_the_first_moment(self):
        """in progress from its creation, then current; the same after an edit; nothing in between"""
        shown = self.start_pod("watched", WATCHED)
        self.recording = Recording(self, "tcp")
        self.apply_policy("tcp", WATCHED)
        words = [told(version) for version in self.record("tcp", 1, "Attached")]
        self.assertEqual(words[0], (kstatus.IN_PROGRESS, "Progressing"))
        self.assertEqual(
            without_repeats(words),
            [(kstatus.IN_PROGRESS, "Progressing"), (kstatus.CURRENT, "Healthy")],
        )
        self.apply_policy("tcp", WATCHED, [policies.TCP, policies.EXEC])
        words = [told(version) for version in self.record("tcp", 2, "Attached")]
        self.assertEqual(
            without_repeats(words),
            [(kstatus.IN_PROGRESS, "Progressing"), (kstatus.CURRENT, "Healthy")],
        )
        self.assertTrue(kernel.attached(shown))

    def test_edits_while_reconciling(self):
        """edits that overtake each other: current is said of the last spec only, and once"""
        self.start_pod("watched", WATCHED)
        self.recording = Recording(self, "hasty")
        for number in range(EDITS):
            probes = [policies.TCP, policies.EXEC] if number % 2 else [policies.TCP]
            self.apply_policy("hasty", WATCHED, probes)
        self.record("hasty", EDITS, "Attached")
        for generation in range(1, EDITS + 1):
            words = [kstatus.of(shown) for shown in self.recording.of_generation(generation)]
            self.assertEqual(words[0], kstatus.IN_PROGRESS, f"generation {generation}")
            self.assertLessEqual(len(without_repeats(words)), 2, f"generation {generation}")
        self.assertEqual(words[-1], kstatus.CURRENT)

    def test_bad_and_mended(self):
        """a spec that cannot be carried out has failed, and is current again when it is mended"""
        self.recording = Recording(self, "bad")
        bad = policies.policy(self.namespace, "bad", WATCHED, nodeSelector={"pool": "not a value!"})
        self.assertIn("created", cluster.apply(bad))
        words = [told(version) for version in self.record("bad", 1, "InvalidSpec")]
        self.assertEqual(words[-1], (kstatus.FAILED, "Degraded"))
        self.apply_policy("bad", WATCHED)
        words = [told(version) for version in self.record("bad", 2, "NoMatchingPods")]
        self.assertEqual(words[0], (kstatus.IN_PROGRESS, "Progressing"))
        self.assertEqual(words[-1], (kstatus.CURRENT, "Healthy"))

    def test_at_rest(self):
        """suspended, previewed and expired policies are not in progress for ever"""
        self.recording = Recording(self, "rest")
        for generation, (how, reason, words) in enumerate(
            (
                ({"suspend": True}, "Suspended", (kstatus.CURRENT, "Suspended")),
                ({"mode": "Preview"}, "Preview", (kstatus.CURRENT, "Healthy")),
                ({"expiresAfter": "1s"}, "Expired", (kstatus.FAILED, "Suspended")),
            ),
            1,
        ):
            self.apply_policy("rest", WATCHED, **how)
            versions = self.record("rest", generation, reason)
            self.assertEqual(told(versions[-1]), words)

    def test_diff(self):
        """after an apply, kubectl diff finds nothing, whatever the operator has written since"""
        manifest = self.apply_policy("tcp", WATCHED, [{"type": "Exec", "exec": {"failures": True}}])
        policies.wait_ready(self.namespace, "tcp")
        self.assertEqual(cluster.kubectl("diff", "-f", "-", stdin=json.dumps(manifest)), "")
        owners = {
            entry["manager"]
            for entry in policies.get(self.namespace, "tcp")["metadata"]["managedFields"]
            if "f:spec" in entry["fieldsV1"]
        }
        self.assertEqual(owners, {"kubectl-client-side-apply"})

    def test_server_side_apply(self):
        """what an edit leaves out goes, all of it, also where Flux or kubectl applies on the server"""
        manifest = policies.policy(self.namespace, "flux", WATCHED)
        for spec in (FULL, BARE, FULL, BARE):
            applied = json.dumps(manifest | {"spec": spec})
            cluster.kubectl("apply", "--server-side", "-f", "-", stdin=applied)
        spec = policies.get(self.namespace, "flux")["spec"]
        self.assertEqual(set(spec), {"selector", "probes", "suspend", "mode"})
        self.assertEqual(spec["selector"], BARE["selector"])
        probes = sorted(spec["probes"], key=lambda probe: probe["type"])
        self.assertEqual(probes, [{"type": "DNS"}, {"type": "Exec"}, {"type": "HTTP"}])
