# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Two operators: one leads, the other stands by and takes over."""

import datetime
import json
import signal
import threading
import time

from lib import cluster, daemons, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
OPERATOR = "skep-operator"
LEASES = "leases.coordination.k8s.io"
TAKEOVER_SECONDS = 5


def two_operators():
    """What config/ha makes of the Deployment, but for memory limits, which the tests choose."""
    rendered = cluster.kubectl("kustomize", cluster.REPOSITORY / "config/ha")
    (ours,) = [text for text in rendered.split("\n---\n") if "kind: Deployment\n" in text]
    read = ("create", "--dry-run=client", "-o", "json", "-f", "-")
    return json.loads(cluster.kubectl(*read, stdin=ours))["spec"]


def set_operators(replicas, arguments):
    patch = {
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "operator", "args": arguments}]}},
        }
    }
    cluster.kubectl(
        "patch", "deployment", OPERATOR, "-n", cluster.SYSTEM, "-p", json.dumps(patch)
    )
    cluster.kubectl(
        "rollout", "status", f"deployment/{OPERATOR}", "-n", cluster.SYSTEM, "--timeout=110s",
        timeout=120,
    )


class Recorder:
    """Every state of a policy that the API server tells, from a watch."""

    def __init__(self, namespace, name):
        self.seen = []
        connection = cluster.ApiConnection().connection
        path = f"/apis/{policies.API_VERSION}/namespaces/{namespace}/observabilitypolicies"
        connection.request("GET", f"{path}?watch=true&fieldSelector=metadata.name={name}")
        self.socket = connection.sock
        self.answer = connection.getresponse()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            while line := self.answer.readline():
                self.seen.append(json.loads(line)["object"])
        except (OSError, ValueError, AttributeError):
            pass

    def ready(self):
        return [policies.condition(shown, "Ready").get("status") for shown in self.seen]


class Leader(ClusterTest):
    @classmethod
    def setUpClass(cls):
        before = cluster.get("deployment", OPERATOR, cluster.SYSTEM)["spec"]
        container = before["template"]["spec"]["containers"][0]
        cls.addClassCleanup(daemons.wait_operator_ready, 60)
        cls.addClassCleanup(set_operators, before["replicas"], container["args"])
        wanted = two_operators()
        set_operators(wanted["replicas"], wanted["template"]["spec"]["containers"][0]["args"])

    def setUp(self):
        super().setUp()
        self.start_pod("watched", WATCHED)
        wait_until("both agents connected", self.both_connected, 40)
        self.apply_policy("kept", WATCHED)
        policies.wait_ready(self.namespace, "kept", "Attached", 30)
        self.recorder = Recorder(self.namespace, "kept")
        wait_until("the watch has begun", lambda: self.recorder.seen)

    @staticmethod
    def holder():
        """The name of the pod that holds the Lease."""
        lease = cluster.get(LEASES, OPERATOR, cluster.SYSTEM)
        return lease["spec"].get("holderIdentity", "").split("_")[0]

    @staticmethod
    def led_since():
        """When its holder took the Lease, by the clock of this machine, on which all nodes are."""
        text = cluster.get(LEASES, OPERATOR, cluster.SYSTEM)["spec"]["acquireTime"]
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

    @staticmethod
    def operators():
        selector = f"app.kubernetes.io/name={OPERATOR}"
        found = cluster.get("pods", namespace=cluster.SYSTEM, selector=selector)
        return {shown["metadata"]["name"]: shown for shown in found}

    def metric(self, name, metric):
        shown = self.operators()[name]
        return daemons.value(daemons.samples(daemons.http_get(shown, 8080, "/metrics")), metric)

    def both_connected(self):
        return self.metric(self.holder(), "skep_operator_agents_connected") == len(cluster.NODES)

    def assert_quiet(self):
        """The policy was Ready all the time, and its status was not written anew."""
        self.assertEqual(set(self.recorder.ready()), {"True"})
        writes = {
            entry.get("time")
            for shown in self.recorder.seen
            for entry in shown["metadata"].get("managedFields", [])
            if entry["manager"] == OPERATOR and "f:status" in entry.get("fieldsV1", {})
        }
        self.assertEqual(len(writes), 1, writes)

    def assert_works(self, name):
        """Agents are with this leader, and what is asked for now is done."""
        wait_until(f"agents connected to {name}", self.both_connected, 40)
        self.assertEqual(self.metric(name, "skep_operator_leader"), 1)
        self.apply_policy("later", WATCHED)
        policies.wait_ready(self.namespace, "later", "Attached", 30)

    def test_one_leads(self):
        """one leads, and agents are with it; the other is ready and does nothing"""
        names = self.operators()
        self.assertEqual(len(names), 2)
        leader = self.holder()
        (other,) = set(names) - {leader}
        self.assertEqual(self.metric(leader, "skep_operator_leader"), 1)
        self.assertEqual(self.metric(other, "skep_operator_leader"), 0)
        self.assertEqual(self.metric(other, "skep_operator_agents_connected"), 0)
        self.assertEqual(self.metric(other, "skep_operator_status_writes_total"), 0)
        self.assertEqual(self.metric(other, "skep_operator_pods_compiled_total"), 0)

    def test_leader_freezes(self):
        """a leader that hangs: the other leads in 5 s; when it comes back it writes nothing"""
        frozen = self.holder()
        shown = self.operators()[frozen]
        pods.kill(shown, OPERATOR, signal.SIGSTOP)
        began = time.time()
        self.addCleanup(pods.kill, shown, OPERATOR, signal.SIGCONT)
        wait_until("another leads", lambda: self.holder() not in ("", frozen), 15)
        took = self.led_since() - began
        self.measured = f"another led after {took:.1f} s"
        self.assertLess(took, TAKEOVER_SECONDS)
        leader = self.holder()
        wait_until("agents follow", self.both_connected, 60)
        self.measured += f", agents were with it after {time.time() - began:.1f} s"
        pods.kill(shown, OPERATOR, signal.SIGCONT)
        wait_until(
            "the old one stands by", lambda: self.metric(frozen, "skep_operator_leader") == 0, 15
        )
        self.assert_works(leader)
        self.assert_quiet()

    def test_leader_killed(self):
        """kill -9 of the leader: one leads in 5 s, agents follow, a Ready policy stays Ready"""
        killed = self.holder()
        pods.kill(self.operators()[killed], OPERATOR)
        began = time.time()
        cluster.kubectl(
            "delete", "pod", killed, "-n", cluster.SYSTEM, "--grace-period=0", "--force"
        )
        wait_until("another leads", lambda: self.holder() not in ("", killed), 15)
        took = self.led_since() - began
        self.measured = f"another led after {took:.1f} s"
        self.assertLess(took, TAKEOVER_SECONDS)
        self.assert_works(self.holder())
        self.assert_quiet()
        wait_until("there are two again", lambda: len(self.operators()) == 2, 60)

    def test_leader_ends(self):
        """a leader that is asked to end lets the other lead at once"""
        ended = self.holder()
        began = time.time()
        cluster.kubectl("delete", "pod", ended, "-n", cluster.SYSTEM, "--wait=false")
        wait_until("another leads", lambda: self.holder() not in ("", ended), 15)
        self.measured = f"another led after {self.led_since() - began:.1f} s"
        wait_until("agents follow", self.both_connected, 40)
        self.measured += f", agents were with it after {time.time() - began:.1f} s"
        self.assert_works(self.holder())
        self.assert_quiet()
        wait_until("there are two again", lambda: len(self.operators()) == 2, 60)
