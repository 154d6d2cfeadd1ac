# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""From the creation of a policy to its Ready: over one connection to the API server, with a watch."""

import json
import statistics
import threading
import time

from lib import cluster, daemons, pods, policies

NAMESPACE = "skep-bench"
LABELS = {"app": "bench"}
POLICIES = 50
PATH = f"/apis/skep.dev/v1alpha1/namespaces/{NAMESPACE}/observabilitypolicies"


class ReadyWatch:
    """Notes when each policy of the namespace was first seen Ready."""

    def __init__(self):
        self.ready = {}
        self.changed = threading.Condition()
        self.connection = cluster.ApiConnection().connection
        self.connection.request("GET", f"{PATH}?watch=1&timeoutSeconds=300")
        self.answer = self.connection.getresponse()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for line in self.answer:
            shown = json.loads(line)["object"]
            if policies.condition(shown, "Ready").get("status") == "True":
                with self.changed:
                    self.ready.setdefault(shown["metadata"]["name"], time.monotonic())
                    self.changed.notify_all()

    def wait(self, name):
        with self.changed:
            if not self.changed.wait_for(lambda: name in self.ready, timeout=30):
                raise TimeoutError(f"{name} was not Ready within 30 s")
            return self.ready[name]


def create(api, name):
    """Creates the policy; returns when that was begun."""
    manifest = policies.policy(NAMESPACE, name, LABELS, [policies.TCP, policies.EXEC])
    begin = time.monotonic()
    api.request("POST", PATH, manifest)
    return begin


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure_ready(title, keep):
    """Creates policies one after the other; with `keep` they stay, so that programs stay loaded."""
    watch, api, times = ReadyWatch(), cluster.ApiConnection(), []
    for number in range(POLICIES):
        name = f"{'kept' if keep else 'alone'}-{number}"
        begin = create(api, name)
        times.append(1000 * (watch.wait(name) - begin))
        if not keep:
            policies.delete(NAMESPACE, name)
    cluster.kubectl("delete", "observabilitypolicies", "--all", "-n", NAMESPACE)
    print(
        f"{title:<46} p50 {statistics.median(times):5.0f} ms  p99 {percentile(times, 0.99):5.0f} ms"
        "  hold 150 and 500",
        flush=True,
    )


def show_memory():
    operator = pods.resident_kib(daemons.operator_process())
    print(f"{'operator, resident':<46} {operator / 1024:5.1f} MiB  hold 20")
    for node in ("node-a", "node-b"):
        process = daemons.agent_process(node)
        now, peak = pods.resident_kib(process), pods.resident_kib(process, "VmHWM")
        print(
            f"{f'agent of {node}, resident and peak':<46} {now / 1024:5.1f} MiB "
            f"{peak / 1024:5.1f} MiB  hold 12"
        )


def measure():
    cluster.create_namespace(NAMESPACE)
    try:
        pods.start(*(pods.pod(NAMESPACE, f"pod-{n}", LABELS, f"node-{n}") for n in "ab"))
        measure_ready("create → Ready, first policy of its pods", keep=False)
        measure_ready("create → Ready, one more policy on them", keep=True)
        show_memory()
    finally:
        cluster.delete_namespace(NAMESPACE)
