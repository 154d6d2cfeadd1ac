# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""NodeProbeReports: what each node can do and does, told truly, and gone with its node."""

import json
import os

from lib import cluster, daemons, policies, stranger
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
NODE = "node-a"
# A report is written once a minute; a condition that turns uses up the next two minutes beforehand.
# Tests run in the order of their names: those that make conditions turn come last.
PATIENCE = 240
RESOURCE = "nodeprobereports"
AGENT_ACCOUNT = "skep-node-agent"


def report(node):
    return cluster.get(RESOURCE, node)


def written(node):
    """The report of a node, once there is one."""

    def shown():
        answer = cluster.kubectl("get", RESOURCE, node, "--ignore-not-found", "-o", "name")
        return report(node) if answer.strip() else None

    return wait_until(f"a report of {node}", shown, PATIENCE)


def wait_report(node, what, holds, seconds=PATIENCE):
    """Waits until `holds` is true of the report's status, and returns the report."""

    def right():
        shown = report(node)
        return shown if holds(shown["status"]) else None

    return wait_until(f"the report of {node}: {what}", right, seconds, 0.5)


def is_ready(status, value="True"):
    return policies.condition({"status": status}, "Ready").get("status") == value


def pods_with(status, probe):
    found = [row["pods"] for row in status.get("probes", []) if row["type"] == probe]
    return found[0] if found else 0


class Reports(ClusterTest):
    def test_facts(self):
        """each node has a report, which tells what the node itself does"""
        here = os.uname()
        for node in cluster.NODES:
            written(node)
            shown = wait_report(node, "its agent is at work", is_ready)
            status = shown["status"]
            self.assertEqual(
                status["kernel"], {"release": here.release, "architecture": here.machine}
            )
            self.assertEqual(status["cgroup"]["mode"], self.cgroup_mode())
            version = self.agent_version(node)
            self.assertEqual(status["agent"]["version"], version)
            available = status["capabilities"]["available"]
            for name in ("Bpf", "RingBuffer", "SocketStorage", "CgroupPrograms"):
                self.assertIn(name, available)
            has_types = os.path.exists("/sys/kernel/btf/vmlinux")
            self.assertEqual("TypeInformation" in available, has_types)

    @staticmethod
    def cgroup_mode():
        """Controllers with a number are in a hierarchy of v1 (cgroups(7))."""
        with open("/proc/cgroups", encoding="ascii") as table:
            rows = [line.split() for line in table if not line.startswith("#")]
        return "Hybrid" if any(row[1] != "0" for row in rows) else "V2"

    @staticmethod
    def agent_version(node):
        return next(
            labels["version"]
            for name, labels, _ in daemons.agent_metrics(node)
            if name == "skep_agent_build_info"
        )

    def test_owner(self):
        """a report belongs to its Node, by its UID"""
        for node in cluster.NODES:
            owners = written(node)["metadata"]["ownerReferences"]
            self.assertEqual(
                owners,
                [
                    {
                        "apiVersion": "v1",
                        "kind": "Node",
                        "name": node,
                        "uid": cluster.get("node", node)["metadata"]["uid"],
                    }
                ],
            )

    def test_follows_policies(self):
        """pods, programs and memory in it follow a policy that comes and goes"""
        written(NODE)
        before = pods_with(report(NODE)["status"], "DNS")
        self.start_pod("one", WATCHED, node=NODE)
        self.start_pod("two", WATCHED, node=NODE)
        self.apply_policy("dns", WATCHED, [{"type": "DNS"}])
        policies.wait_ready(self.namespace, "dns", "Attached")
        shown = wait_report(
            NODE, "two more pods have DNS", lambda status: pods_with(status, "DNS") == before + 2
        )
        status = shown["status"]
        named = {row["name"]: row for row in status["programs"]}
        for name in ("dns_received", "dns_sent"):
            self.assertEqual(named[name], {"name": name, "type": "cgroup_skb", "probe": "DNS"})
        self.assertTrue(all("probe" in row for row in status["programs"]), status["programs"])
        for part in ("programs", "maps"):
            self.assertGreater(int(status["kernelMemory"][part].removesuffix("Ki")), 0)
        self.assertGreaterEqual(status["pods"]["attached"], 2)
        policies.delete(self.namespace, "dns")
        wait_report(NODE, "they have it no more", lambda status: pods_with(status, "DNS") == before)

    def test_quiet(self):
        """where nothing moves, nothing is written"""
        for node in cluster.NODES:
            written(node)
        name = "skep_operator_node_report_writes_total"

        def count():
            return daemons.value(daemons.operator_metrics(), name)

        versions = [report(node)["metadata"]["resourceVersion"] for node in cluster.NODES]
        wait_until("there are writes to count", lambda: count() is not None)
        self.wait_quiet(count)
        after = [report(node)["metadata"]["resourceVersion"] for node in cluster.NODES]
        self.measured = f"{sum(a != b for a, b in zip(versions, after))} written until it was quiet"

    @staticmethod
    def wait_quiet(count):
        """Waits for a span in which a write would have come, were there a reason for it."""
        state = {"count": count(), "since": 0}

        def quiet():
            state["since"] = state["since"] + 1 if count() == state["count"] else 0
            state["count"] = count()
            return state["since"] > 65

        wait_until("a minute without a write", quiet, 400, 1)

    def test_without_agent(self):
        """while a node has no agent, its report says so, and what to look at; then it is well again"""
        written(NODE)
        wait_report(NODE, "its agent is at work", is_ready)
        elsewhere = {"kubernetes.io/hostname": "nowhere"}
        self.addCleanup(self.bring_agents_back)
        self.select_nodes(elsewhere)
        shown = wait_report(NODE, "no agent", lambda status: is_ready(status, "Unknown"))
        ready = policies.condition(shown, "Ready")
        self.assertEqual(ready["reason"], "AgentNotConnected")
        self.assertIn(f"spec.nodeName={NODE}", ready["message"])
        self.assertEqual(shown["status"]["kernel"]["release"], os.uname().release)
        self.bring_agents_back()
        wait_report(NODE, "its agent is at work again", is_ready)

    def bring_agents_back(self):
        self.select_nodes(None)
        for node in cluster.NODES:
            daemons.wait_agent_healthy(node, 120)

    @staticmethod
    def select_nodes(labels):
        """Has agents run on these nodes only; None: on all."""
        spec = {"template": {"spec": {"nodeSelector": labels}}}
        patch = json.dumps({"spec": spec})
        cluster.kubectl(
            "patch", "daemonset", "skep-node-agent", "-n", cluster.SYSTEM, "--type=merge", "-p", patch
        )

    def test_node_gone(self):
        """the report of a node that is deleted goes with it, and does not come again"""
        name = f"{self.namespace}-gone"
        cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        self.addCleanup(cluster.kubectl, "delete", "node", name, "--ignore-not-found")
        uid = cluster.get("node", name)["metadata"]["uid"]
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
        # As an operator that led before this one left it.
        cluster.create(
            {
                "apiVersion": policies.API_VERSION,
                "kind": "NodeProbeReport",
                "metadata": {"name": name, "ownerReferences": [owner]},
                "status": {"agent": {"version": "0.0.9"}, "kernel": {"release": "5.12"}},
            }
        )
        self.addCleanup(cluster.kubectl, "delete", RESOURCE, name, "--ignore-not-found")
        shown = wait_report(name, "no agent", lambda status: is_ready(status, "Unknown"))
        self.assertEqual(shown["metadata"]["ownerReferences"][0]["uid"], uid)
        self.assertEqual(shown["status"]["kernel"]["release"], "5.12")
        cluster.kubectl("delete", "node", name)
        wait_until("the report is gone", lambda: not self.names(name), 120, 1)
        metrics = daemons.operator_metrics()
        self.assertEqual(daemons.value(metrics, "skep_operator_nodes"), len(cluster.NODES))
        self.assertFalse(self.names(name))

    @staticmethod
    def names(name):
        return cluster.kubectl("get", RESOURCE, name, "--ignore-not-found", "-o", "name").strip()

    def test_when_deleted(self):
        """a report that somebody deletes is written again"""
        uid = written(NODE)["metadata"]["uid"]
        cluster.kubectl("delete", RESOURCE, NODE)
        wait_until(
            "another report", lambda: self.names(NODE) and report(NODE)["metadata"]["uid"] != uid, PATIENCE, 1
        )

    def test_other_node(self):
        """an agent can tell of its own node only, whatever it names"""
        written("node-b")
        token = stranger.token(AGENT_ACCOUNT, cluster.SYSTEM, "skep-operator", daemons.agent_pod(NODE))
        with stranger.Connection() as connection:
            self.assertEqual(connection.upgrade(token), 101)
            connection.send_json(stranger.hello("node-b"))
            with self.assertRaises(stranger.Ended) as ended:
                while True:
                    connection.receive()
            self.assertIn("is not this agent's", str(ended.exception))
        self.assertNotEqual(report("node-b")["status"]["agent"]["version"], "e2e")

    def test_explained(self):
        """kubectl get shows a table, kubectl explain says what each field is"""
        written(NODE)
        head, *rows = cluster.kubectl("get", "npr").splitlines()
        columns = ["NAME", "READY", "AGENT", "KERNEL", "CGROUP", "PROGRAMS", "PODS", "MEMORY", "AGE"]
        self.assertEqual(head.split(), columns)
        row = next(line for line in rows if line.startswith(f"{NODE} "))
        self.assertRegex(row, r"\d+/\d+ +\d+Ki")
        for field in report(NODE)["status"]:
            text = cluster.kubectl("explain", f"npr.status.{field}")
            self.assertRegex(text, r"DESCRIPTION:\n +[A-Z]", field)
            self.assertNotIn("<empty>", text, field)
        self.assertIn("Capable", cluster.kubectl("describe", "npr", NODE))
