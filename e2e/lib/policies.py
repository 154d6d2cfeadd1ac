# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Policies: made, applied, and read back with their status."""

from lib import cluster
from lib.shell import wait_until

API_VERSION = "skep.dev/v1alpha1"
KIND = "ObservabilityPolicy"
CLUSTER_KIND = "ClusterObservabilityPolicy"
TCP = {"type": "TCP"}
EXEC = {"type": "Exec"}


def policy(namespace, name, labels=None, probes=(TCP,), **spec):
    """The manifest of a policy that selects pods by labels; None for no selector labels."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "selector": {"matchLabels": labels} if labels else {},
            "probes": list(probes),
            **spec,
        },
    }


def cluster_policy(name, namespace_labels, labels=None, probes=(TCP,), **spec):
    """The manifest of a policy of the cluster, for namespaces with these labels."""
    spec = {"namespaceSelector": {"matchLabels": namespace_labels}, **spec}
    manifest = policy(None, name, labels, probes, **spec)
    return {**manifest, "kind": CLUSTER_KIND, "metadata": {"name": name}}


def resource(namespace):
    return "observabilitypolicies" if namespace else "clusterobservabilitypolicies"


def get(namespace, name):
    """A policy; of the cluster, where no namespace is given. So with the functions below."""
    return cluster.get(resource(namespace), name, namespace)


def delete(namespace, name):
    where = ("-n", namespace) if namespace else ()
    cluster.kubectl("delete", resource(namespace), name, *where)


def condition(shown, kind):
    """A condition of a policy's status, {} if it has none of this type."""
    conditions = shown.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind), {})


def wait_condition(namespace, name, kind, status="True", reason=None, seconds=15):
    """Waits until the condition holds for the policy's present generation; returns the policy."""

    def holds():
        shown = get(namespace, name)
        found = condition(shown, kind)
        current = found.get("observedGeneration") == shown["metadata"]["generation"]
        right = found.get("status") == status and reason in (None, found.get("reason"))
        assert current and right, f"it is {found or 'absent'}"
        return shown

    return wait_until(f"{kind}={status} {reason or ''} of {namespace or ''}/{name}", holds, seconds)


def wait_ready(namespace, name, reason=None, seconds=15):
    return wait_condition(namespace, name, "Ready", "True", reason, seconds)
