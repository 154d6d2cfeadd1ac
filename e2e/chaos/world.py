# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""The cluster under churn: what is in it at first, and the changes that chance makes to it."""

from plane import APPLY, MERGE, POLICIES, SYSTEM, Refused

APPS = [f"app-{number}" for number in range(6)]
TIERS = ["front", "back", "batch"]
POOLS = ["blue", "green"]
CONTAINERS = ["server", "sidecar"]
NAMESPACED = "observabilitypolicies"
CLUSTER = "clusterobservabilitypolicies"
QUOTAS = "probequotas"
# Agents say of pods with these in their names that they cannot attach, or wait. See agents.c.
FATES = ["fine"] * 18 + ["fails", "waits"]


def pods_path(namespace):
    return f"/api/v1/namespaces/{namespace}/pods"


def policies_path(namespace):
    """Of a namespace, or of the cluster where it is none."""
    if not namespace:
        return f"{POLICIES}/{CLUSTER}"
    return f"{POLICIES}/namespaces/{namespace}/{NAMESPACED}"


class World:
    def __init__(self, plane, random, nodes=24, namespaces=6, pods=200, policies=40):
        self.plane, self.random = plane, random
        self.node_count, self.namespace_count = nodes, namespaces
        self.pod_count, self.policy_count = pods, policies
        self.namespaces = [f"team-{number}" for number in range(namespaces)]
        self.nodes = {}  # name -> the agent's pod
        self.pods = {}  # (namespace, name) -> None
        self.policies = {}  # (namespace or "", name) -> None
        self.quotas = []
        self.serial = 0
        self.node_comes = self.node_goes = lambda *_: None
        self.node_is_served = lambda _: True

    def make(self):
        for name in self.namespaces:
            labels = {"tenant": self.random.choice(["true", "false"])}
            self._create("/api/v1/namespaces", "v1", "Namespace", name, None, labels=labels)
        for number in range(self.node_count):
            self.add_node(f"node-{number}")
        for _ in range(self.pod_count):
            self.add_pod()
        for _ in range(self.policy_count):
            self.add_policy()

    def _create(self, path, version, kind, name, spec, labels=None, **metadata):
        body = {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": name, "labels": labels or {}, **metadata},
        }
        if spec is not None:
            body["spec"] = spec
        return self.plane.call("POST", path, body)

    def _name(self, word):
        self.serial += 1
        return f"{word}-{self.serial}"

    def _delete(self, path):
        now = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        try:
            self.plane.call("DELETE", path, now)
        except Refused as refused:
            if refused.status != 404:
                raise

    # Nodes and their agents.

    def add_node(self, name):
        labels = {"pool": self.random.choice(POOLS), "kubernetes.io/hostname": name}
        self._create("/api/v1/nodes", "v1", "Node", name, {}, labels=labels)
        pod = self._add_pod_of(SYSTEM, f"skep-node-agent-{name}", name, {}, ["agent"])
        self.nodes[name] = pod
        self.node_comes(name, pod)

    def remove_node(self, name):
        self.nodes.pop(name, None)
        for namespace, pod in [key for key, node in self.pods.items() if node == name]:
            self.remove_pod(namespace, pod)
        self.node_goes(name)
        self._delete(f"{pods_path(SYSTEM)}/skep-node-agent-{name}")
        self._delete(f"/api/v1/nodes/{name}")

    def replace_node(self):
        name = self.random.choice(sorted(self.nodes))
        self.remove_node(name)
        self.add_node(name)

    def blink_node(self):
        """The object goes and comes, while the machine and all on it go on."""
        name = self.random.choice(sorted(self.nodes))
        self._delete(f"/api/v1/nodes/{name}")
        labels = {"pool": self.random.choice(POOLS), "kubernetes.io/hostname": name}
        self._create("/api/v1/nodes", "v1", "Node", name, {}, labels=labels)

    def relabel_node(self):
        name = self.random.choice(sorted(self.nodes))
        patch = {"metadata": {"labels": {"pool": self.random.choice(POOLS)}}}
        self.plane.call("PATCH", f"/api/v1/nodes/{name}", patch, MERGE)

    # What there is, after something went wrong on the way.

    def learn(self):
        """Takes up what the API server has, and makes good nodes that are half there."""
        self.pods = {
            (pod["metadata"]["namespace"], pod["metadata"]["name"]): pod["spec"]["nodeName"]
            for pod in self.plane.items("/api/v1/pods")[0]
            if pod["metadata"]["namespace"] != SYSTEM
        }
        self.policies = {}
        for kind in NAMESPACED, CLUSTER:
            for policy in self.plane.items(f"{POLICIES}/{kind}")[0]:
                metadata = policy["metadata"]
                self.policies[metadata.get("namespace", ""), metadata["name"]] = None
        quotas = self.plane.items(f"{POLICIES}/{QUOTAS}")[0]
        self.quotas = [quota["metadata"]["name"] for quota in quotas]
        self._mend_nodes()
        if not self.pods:
            self.add_pod()
        if not self.policies:
            self.add_policy()

    def _mend_nodes(self):
        nodes = {node["metadata"]["name"] for node in self.plane.items("/api/v1/nodes")[0]}
        pods = self.plane.items(pods_path(SYSTEM))[0]
        agents = {pod["spec"]["nodeName"]: pod["metadata"]["uid"] for pod in pods}
        for number in range(self.node_count):
            name = f"node-{number}"
            pod = self.nodes.get(name)
            whole = name in nodes and pod and agents.get(name) == pod["metadata"]["uid"]
            if not whole or not self.node_is_served(name):
                self.remove_node(name)
                self.add_node(name)

    # Pods.

    def _add_pod_of(self, namespace, name, node, labels, containers):
        spec = {
            "nodeName": node,
            "serviceAccountName": "skep-node-agent" if namespace == SYSTEM else "default",
            "containers": [{"name": container, "image": "none"} for container in containers],
        }
        pod = self._create(pods_path(namespace), "v1", "Pod", name, spec, labels=labels)
        self._run_pod(namespace, name, containers)
        return pod

    def _run_pod(self, namespace, name, containers):
        """Says what a kubelet says when the containers run."""
        number = self.random.getrandbits(24)
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        statuses = [
            {
                "name": container,
                "image": "none",
                "imageID": "",
                "ready": True,
                "restartCount": 0,
                "state": {"running": {}},
                "containerID": f"containerd://{self.random.getrandbits(256):064x}",
            }
            for container in containers
        ]
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "containerStatuses": statuses,
        }
        path = f"{pods_path(namespace)}/{name}/status"
        self.plane.call("PATCH", path, {"status": status}, MERGE)

    def _pod_labels(self):
        return {"app": self.random.choice(APPS), "tier": self.random.choice(TIERS)}

    def add_pod(self):
        namespace = self.random.choice(self.namespaces)
        node = self.random.choice(sorted(self.nodes))
        name = self._name(f"pod-{self.random.choice(FATES)}")
        containers = CONTAINERS[: self.random.randint(1, 2)]
        self._add_pod_of(namespace, name, node, self._pod_labels(), containers)
        self.pods[namespace, name] = node

    def remove_pod(self, namespace, name):
        self._delete(f"{pods_path(namespace)}/{name}")
        del self.pods[namespace, name]

    def replace_pod(self):
        self.remove_pod(*self.random.choice(sorted(self.pods)))
        self.add_pod()

    def relabel_pod(self):
        namespace, name = self.random.choice(sorted(self.pods))
        patch = {"metadata": {"labels": self._pod_labels()}}
        self.plane.call("PATCH", f"{pods_path(namespace)}/{name}", patch, MERGE)

    def finish_pod(self):
        """One that ends by itself: it stays, as those of jobs do, and is not observed any more."""
        namespace, name = self.random.choice(sorted(self.pods))
        status = {"status": {"phase": "Succeeded"}}
        self.plane.call("PATCH", f"{pods_path(namespace)}/{name}/status", status, MERGE)

    def relabel_namespace(self):
        name = self.random.choice(self.namespaces)
        patch = {"metadata": {"labels": {"tenant": self.random.choice(["true", "false"])}}}
        self.plane.call("PATCH", f"/api/v1/namespaces/{name}", patch, MERGE)

    # Policies.

    def _selector(self):
        kind = self.random.random()
        if kind < 0.1:
            return {}
        if kind < 0.7:
            return {"matchLabels": {"app": self.random.choice(APPS)}}
        values = self.random.sample(APPS, 3)
        operator = self.random.choice(["In", "NotIn"])
        return {
            "matchExpressions": [
                {"key": "app", "operator": operator, "values": values},
                {"key": "tier", "operator": "Exists"},
            ]
        }

    def _probes(self):
        probes = []
        for kind in self.random.sample(["TCP", "Exec", "DNS", "HTTP"], self.random.randint(1, 4)):
            probe = {"type": kind}
            if kind == "Exec" and self.random.random() < 0.8:
                arguments = self.random.choice(["None", "Redacted", "Raw"])
                probe["exec"] = {
                    "arguments": arguments,
                    "failures": self.random.random() < 0.3,
                }
            if kind == "DNS" and self.random.random() < 0.5:
                probe["dns"] = {"failures": self.random.random() < 0.5}
            if kind == "HTTP" and self.random.random() < 0.5:
                probe["http"] = {"ports": self.random.sample([80, 8080, 9000, 9090], 2)}
            probes.append(probe)
        return probes

    def _spec(self, namespace):
        spec = {
            "selector": self._selector(),
            "probes": self._probes(),
            "suspend": self.random.random() < 0.1,
            "mode": "Preview" if self.random.random() < 0.1 else "Active",
        }
        if self.random.random() < 0.2:
            spec["containers"] = [self.random.choice([*CONTAINERS, "none"])]
        if self.random.random() < 0.2:
            spec["nodeSelector"] = {"pool": self.random.choice(POOLS)}
        if self.random.random() < 0.1:
            spec["expiresAfter"] = self.random.choice(["5s", "30m", "48h"])
        if not namespace:
            tenant = self.random.choice(["true", "false"])
            spec["namespaceSelector"] = {"matchLabels": {"tenant": tenant}}
        return spec

    def add_policy(self):
        namespace = "" if self.random.random() < 0.15 else self.random.choice(self.namespaces)
        self._apply_policy(namespace, self._name("policy"))

    def _apply_policy(self, namespace, name):
        """As GitOps does; what the spec before had and this one has not, goes."""
        kind = "ObservabilityPolicy" if namespace else "ClusterObservabilityPolicy"
        body = {
            "apiVersion": "skep.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": self._spec(namespace),
        }
        path = f"{policies_path(namespace)}/{name}?fieldManager=chaos&force=true"
        self.plane.call("PATCH", path, body, APPLY)
        self.policies[namespace, name] = None

    def edit_policy(self):
        self._apply_policy(*self.random.choice(sorted(self.policies)))

    def replace_policy(self):
        namespace, name = self.random.choice(sorted(self.policies))
        self._delete(f"{policies_path(namespace)}/{name}")
        del self.policies[namespace, name]
        if self.random.random() < 0.5:
            self._apply_policy(namespace, name)  # another one of that name
        else:
            self.add_policy()

    def change_quotas(self):
        """One more, or one less."""
        if self.quotas and self.random.random() < 0.6:
            self._delete(f"{POLICIES}/{QUOTAS}/{self.quotas.pop()}")
            return
        name = self._name("quota")
        spec = {"namespaceSelector": {"matchLabels": {"tenant": "true"}}}
        bound = self.random.choice(["probes", "policies", "text"])
        if bound == "probes":
            spec["allowedProbes"] = self.random.sample(["TCP", "Exec", "DNS", "HTTP"], 3)
        elif bound == "policies":
            spec["policiesPerNamespace"] = self.random.randint(2, 8)
        else:
            spec["text"] = self.random.choice(["None", "Normalized", "Raw"])
        self._create(f"{POLICIES}/{QUOTAS}", "skep.dev/v1alpha1", "ProbeQuota", name, spec)
        self.quotas.append(name)

    def change(self):
        """One change, of those that a cluster sees most often."""
        changes = {
            self.replace_pod: 40,
            self.relabel_pod: 10,
            self.finish_pod: 3,
            self.edit_policy: 25,
            self.replace_policy: 10,
            self.relabel_namespace: 3,
            self.relabel_node: 3,
            self.replace_node: 2,
            self.blink_node: 2,
            self.change_quotas: 4,
        }
        self.random.choices(list(changes), list(changes.values()))[0]()
