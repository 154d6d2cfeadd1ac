# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""
What agents must hold and statuses must say, worked out from the objects in the API server by the
words of docs/api.md, and by none of the operator's code.
"""

import datetime

from world import CLUSTER, NAMESPACED, QUOTAS
from plane import POLICIES

PROBES = ["TCP", "Exec", "DNS", "HTTP"]
TEXT = ["None", "Normalized", "Raw"]
ARGUMENTS = ["None", "Redacted", "Raw"]  # as much text as TEXT at the same place
FAILURES_TOLD = 10


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def matches(selector, labels):
    """A LabelSelector of Kubernetes."""
    labels = labels or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], expression.get("values") or []
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[expression["operator"]]
        if not holds:
            return False
    return True


class Facts:
    """The objects of the API server, read one collection after the other while nothing changes."""

    def __init__(self, plane):
        self.pods, _ = plane.items("/api/v1/pods")
        self.nodes, _ = plane.items("/api/v1/nodes")
        self.namespaces, _ = plane.items("/api/v1/namespaces")
        self.quotas, _ = plane.items(f"{POLICIES}/{QUOTAS}")
        self.policies = []
        for kind in NAMESPACED, CLUSTER:
            self.policies += plane.items(f"{POLICIES}/{kind}")[0]

    def labels(self, kind, name):
        found = [item for item in getattr(self, kind) if item["metadata"]["name"] == name]
        return (found[0]["metadata"].get("labels") or {}) if found else None


def identity(policy):
    namespace = policy["metadata"].get("namespace")
    name = policy["metadata"]["name"]
    return f"{namespace}/{name}" if namespace else name


class Oracle:
    """`connected`: the nodes whose agents are at work; `now`: what the operator's clock says."""

    def __init__(self, facts, connected, now):
        self.facts, self.connected, self.now = facts, connected, now
        self.namespace_labels = {
            item["metadata"]["name"]: (item["metadata"].get("labels") or {})
            | {"kubernetes.io/metadata.name": item["metadata"]["name"]}
            for item in facts.namespaces
        }
        self.node_labels = {
            item["metadata"]["name"]: item["metadata"].get("labels") or {} for item in facts.nodes
        }
        self.bounds = {name: self._bounds(labels) for name, labels in self.namespace_labels.items()}
        self.running = [pod for pod in facts.pods if self._runs(pod)]

    @staticmethod
    def _runs(pod):
        phase = pod.get("status", {}).get("phase")
        return pod["spec"].get("nodeName") and phase not in ("Succeeded", "Failed")

    # Quotas.

    def _bounds(self, labels):
        """Probes that are allowed, policies, and how much text, in a namespace of these labels."""
        probes, policies, text = set(PROBES), float("inf"), TEXT.index("Raw")
        for quota in self.facts.quotas:
            spec = quota["spec"]
            if not matches(spec["namespaceSelector"], labels):
                continue
            probes &= set(spec.get("allowedProbes", PROBES))
            policies = min(policies, spec.get("policiesPerNamespace", policies))
            text = min(text, TEXT.index(spec.get("text", "Raw")))
        return probes, policies, text

    def _is_over_quota(self, policy):
        namespace = policy["metadata"].get("namespace")
        if not namespace:
            return False
        probes, policies, text = self.bounds[namespace]
        beside = sorted(
            (
                item
                for item in self.facts.policies
                if item["metadata"].get("namespace") == namespace
            ),
            key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]),
        )
        if beside.index(policy) >= policies:
            return True
        for probe in policy["spec"]["probes"]:
            given = probe.get("exec", {}).get("arguments")
            if probe["type"] not in probes or (given and ARGUMENTS.index(given) > text):
                return True
        return False

    # What becomes of a policy.

    def _has_expired(self, policy):
        ends = policy.get("status", {}).get("expiresAt")
        return "expiresAfter" in policy["spec"] and ends and moment(ends) <= self.now

    def reason(self, policy):
        """Why nothing is attached for it, None if something may be."""
        spec = policy["spec"]
        if self._is_over_quota(policy):
            return "QuotaExceeded"
        if self._has_expired(policy):
            return "Expired"
        if spec.get("suspend"):
            return "Suspended"
        return "Preview" if spec.get("mode") == "Preview" else None

    def _matches_pod(self, policy, pod):
        spec, namespace = policy["spec"], pod["metadata"]["namespace"]
        names = [container["name"] for container in pod["spec"]["containers"]]
        own = policy["metadata"].get("namespace")
        if own and own != namespace:
            return False
        if not own and not matches(spec["namespaceSelector"], self.namespace_labels[namespace]):
            return False
        wanted = spec.get("containers") or names
        return matches(spec["selector"], pod["metadata"].get("labels")) and set(wanted) & set(names)

    def _takes_node(self, policy, node):
        selector = {"matchLabels": policy["spec"].get("nodeSelector")}
        return matches(selector, self.node_labels.get(node))

    def matched(self, policy):
        """The pods that it is about, those of nodes that it leaves out included."""
        if self.reason(policy) not in (None, "Preview"):
            return []
        return [pod for pod in self.running if self._matches_pod(policy, pod)]

    # What agents hold.

    def _probe_on(self, kind, policies, pod):
        """The union of what policies ask of one probe."""
        names = [container["name"] for container in pod["spec"]["containers"]]
        asked = []
        for policy in policies:
            probe = next(item for item in policy["spec"]["probes"] if item["type"] == kind)
            namespace = policy["metadata"].get("namespace")
            asked.append((policy, probe, self.bounds[namespace][2] if namespace else 2))
        containers = [set(policy["spec"].get("containers") or []) for policy, _, _ in asked]
        union = set().union(*containers) & set(names) if all(containers) else set()
        return {
            "policies": sorted(identity(policy) for policy in policies),
            "containers": sorted(union),
            "settings": self._settings(kind, [(probe, text) for _, probe, text in asked]),
        }

    @staticmethod
    def _settings(kind, asked):
        if kind == "Exec":
            words = [
                min(ARGUMENTS.index(probe.get("exec", {}).get("arguments", "Redacted")), text)
                for probe, text in asked
            ]
            failures = any(probe.get("exec", {}).get("failures") for probe, _ in asked)
            return [ARGUMENTS[max(words)], failures]
        if kind == "DNS":
            return any(probe.get("dns", {}).get("failures") for probe, _ in asked)
        if kind == "HTTP":
            ports = [probe.get("http", {}).get("ports") for probe, _ in asked]
            return sorted(set().union(*ports)) if all(ports) else []
        return None

    def selection(self):
        """By node: what its agent must hold, in the shape that held() makes."""
        nodes = {name: {} for name in self.node_labels}
        asking = {}
        for policy in self.facts.policies:
            if self.reason(policy):
                continue
            for pod in self.matched(policy):
                if self._takes_node(policy, pod["spec"]["nodeName"]):
                    asking.setdefault(pod["metadata"]["uid"], (pod, []))[1].append(policy)
        for uid, (pod, policies) in asking.items():
            nodes.setdefault(pod["spec"]["nodeName"], {})[uid] = self._selected(pod, policies)
        return nodes

    def _selected(self, pod, policies):
        probes = {}
        for kind in PROBES:
            those = [
                policy
                for policy in policies
                if any(probe["type"] == kind for probe in policy["spec"]["probes"])
            ]
            if those:
                probes[kind] = self._probe_on(kind, those, pod)
        statuses = pod.get("status", {}).get("containerStatuses", [])
        containers = {
            status["name"]: status["containerID"].partition("://")[2] for status in statuses
        }
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        return {"name": name, "probes": probes, "containers": containers}

    # What statuses say.

    def _standing(self, pod):
        """How the probes on a pod stand, by its agent's word. See agents.c."""
        if pod["spec"]["nodeName"] not in self.connected:
            return "AgentNotConnected"
        name = pod["metadata"]["name"]
        if "-fails-" in name:
            return "AttachFailed"
        return "Waiting" if "-waits-" in name else "Attached"

    def status(self, policy):
        """The parts of the status that follow from the objects."""
        nowhere = self.reason(policy)
        pods = [
            pod for pod in self.matched(policy) if self._takes_node(policy, pod["spec"]["nodeName"])
        ]
        standings = {pod["metadata"]["uid"]: self._standing(pod) for pod in pods}
        failed = [
            pod
            for pod in pods
            if standings[pod["metadata"]["uid"]] not in ("Attached", "Waiting")
        ]
        every = {pod["spec"]["nodeName"] for pod in self.matched(policy)}
        nodes = {pod["spec"]["nodeName"] for pod in pods}
        bad_nodes = {pod["spec"]["nodeName"] for pod in failed}
        attached = sum(standing == "Attached" for standing in standings.values())
        preview = nowhere == "Preview"
        return {
            "observedGeneration": policy["metadata"]["generation"],
            "Ready": self._ready(nowhere, pods, failed, attached, every, standings),
            "matched": len(pods),
            "attached": 0 if preview else attached,
            "nodes matched": len(nodes),
            "nodes ready": 0 if preview else len(nodes - bad_nodes),
            "nodes failed": 0 if preview else len(bad_nodes),
            "nodes skipped": len(every - nodes),
            "failures": 0
            if preview
            else min(FAILURES_TOLD, len(failed) * len(policy["spec"]["probes"])),
            "probes": self._probes(policy, [] if preview else list(standings.values())),
        }

    @staticmethod
    def _probes(policy, standings):
        """Each probe: agents of pods say the same of all of them."""
        order = ["Attached", "Waiting", "AttachFailed", "AgentNotConnected"]
        worst = order[max(map(order.index, standings))] if standings else "Idle"
        state = worst if worst in ("Idle", "Attached", "Waiting") else "Failed"
        kinds = {probe["type"] for probe in policy["spec"]["probes"]}
        attached = standings.count("Attached")
        return [[kind, attached, state] for kind in PROBES if kind in kinds]

    @staticmethod
    def _ready(nowhere, pods, failed, attached, every, standings):
        """Status and reason of the condition Ready."""
        if nowhere:
            return ("True" if nowhere in ("Suspended", "Preview") else "False", nowhere)
        if failed:
            key = lambda pod: (  # noqa: E731 (the order that the API promises)
                pod["spec"]["nodeName"],
                pod["metadata"]["namespace"],
                pod["metadata"]["name"],
            )
            return ("False", standings[min(failed, key=key)["metadata"]["uid"]])
        if not pods:
            return ("True", "NoMatchingNodes" if every else "NoMatchingPods")
        return ("True", "Attached" if attached else "WaitingForContainers")


def held(agent):
    """What an agent holds, in the shape of Oracle.selection()."""
    pods = {}
    for pod in agent["pods"]:
        probes = {}
        for probe in pod["probes"]:
            kind = probe["type"]
            settings = {
                "TCP": None,
                "Exec": [
                    probe.get("exec", {}).get("arguments"),
                    probe.get("exec", {}).get("failures", False),
                ],
                "DNS": probe.get("dns", {}).get("failures", False),
                "HTTP": sorted(probe.get("http", {}).get("ports", [])),
            }[kind]
            probes[kind] = {
                "policies": probe["policies"],
                "containers": probe.get("containers", []),
                "settings": settings,
            }
        containers = {item["name"]: item["id"] for item in pod.get("containers", [])}
        name = f"{pod['namespace']}/{pod['name']}"
        pods[pod["uid"]] = {"name": name, "probes": probes, "containers": containers}
    return pods


def said(policy):
    """What a status says, in the shape of Oracle.status()."""
    status = policy.get("status") or {}
    conditions = {item["type"]: item for item in status.get("conditions", [])}
    ready = conditions.get("Ready", {})
    if any(
        item.get("observedGeneration") != status.get("observedGeneration")
        for item in conditions.values()
    ):
        ready = {"status": "conditions of several generations"}
    pods, nodes = status.get("pods", {}), status.get("nodes", {})
    return {
        "observedGeneration": status.get("observedGeneration"),
        "Ready": (ready.get("status"), ready.get("reason")),
        "matched": pods.get("matched"),
        "attached": pods.get("attached"),
        "nodes matched": nodes.get("matched"),
        "nodes ready": nodes.get("ready"),
        "nodes failed": nodes.get("failed"),
        "nodes skipped": nodes.get("skipped"),
        "failures": len(status.get("failures", [])),
        "probes": [
            [probe.get("type"), probe.get("pods"), probe.get("state")]
            for probe in status.get("probes", [])
        ],
    }
