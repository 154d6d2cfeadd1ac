# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Policies: made, applied, and read back with their status."""

from lib import cluster
from lib.shell import wait_until

API_VERSION = "skep.dev/v1alpha1"
KIND = "ObservabilityPolicy"
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


def get(namespace, name):
    return cluster.get("observabilitypolicies", name, namespace)


def delete(namespace, name):
    cluster.kubectl("delete", "observabilitypolicies", name, "-n", namespace)


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

    return wait_until(f"{kind}={status} {reason or ''} of {namespace}/{name}", holds, seconds)


def wait_ready(namespace, name, reason=None, seconds=15):
    return wait_condition(namespace, name, "Ready", "True", reason, seconds)
