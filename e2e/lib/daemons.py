# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""The running operator and agents: their pods, metrics, events, and their violent end."""

import json
import re
import urllib.request

from lib import cluster, pods
from lib.shell import wait_until

HTTP_SECONDS = 5
SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def operator_pod():
    return only("app.kubernetes.io/name=skep-operator")


def agent_pod(node):
    return only("app.kubernetes.io/name=skep-node-agent", node)


def only(selector, node=None):
    """The one pod of a daemon that is not about to go."""
    found = [
        shown
        for shown in cluster.get("pods", namespace=cluster.SYSTEM, selector=selector)
        if "deletionTimestamp" not in shown["metadata"]
        and (node is None or shown["spec"].get("nodeName") == node)
    ]
    assert len(found) == 1, f"{len(found)} pods match {selector} on {node or 'any node'}"
    return found[0]


def http_get(shown, port, path):
    url = f"http://{pods.address(shown)}:{port}{path}"
    with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:
        return answer.read().decode()


def samples(text):
    """Prometheus text as a list of (name, labels, value)."""
    found = []
    for line in text.splitlines():
        match = SAMPLE.match(line)
        if match:
            labels = dict(LABEL.findall(match["labels"] or ""))
            found.append((match["name"], labels, float(match["value"])))
    return found


def agent_metrics(node):
    return samples(http_get(agent_pod(node), 9810, "/metrics"))


def operator_metrics():
    return samples(http_get(operator_pod(), 8080, "/metrics"))


def value(metrics, name, **labels):
    """The sum of the samples of this name that bear these labels; None if there is none."""
    found = [
        number
        for sample, borne, number in metrics
        if sample == name and labels.items() <= borne.items()
    ]
    return sum(found) if found else None


def pod_metric(shown, name, **labels):
    """A metric of a pod, as the agent of its node tells it."""
    return value(
        agent_metrics(shown["spec"]["nodeName"]),
        name,
        k8s_namespace_name=shown["metadata"]["namespace"],
        k8s_pod_name=shown["metadata"]["name"],
        **labels,
    )


def events(node, **fields):
    """The events that the node's agent has told since it started and that bear these fields."""
    name = agent_pod(node)["metadata"]["name"]
    found = []
    for line in cluster.kubectl("logs", name, "-n", cluster.SYSTEM, "--tail=-1").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and fields.items() <= event.items():
            found.append(event)
    return found


def kill_agent(node):
    pods.kill(agent_pod(node), "skep-node-agent")


def replace_agent(node):
    """A new agent in a new pod, which has seen nothing yet; returns when it answers."""
    pods.delete(cluster.SYSTEM, agent_pod(node)["metadata"]["name"])
    wait_agent_healthy(node, 60)


def kill_operator():
    pods.kill(operator_pod(), "skep-operator")


def agent_process(node):
    """The agent's process id on the host; an assertion fails while there is none."""
    return only_process(agent_pod(node), "skep-node-agent")


def operator_process():
    return only_process(operator_pod(), "skep-operator")


def only_process(shown, name):
    found = pods.processes(shown, name)
    assert len(found) == 1, f"{len(found)} processes {name}"
    return found[0]


def wait_agent_healthy(node, seconds=30):
    wait_until(
        f"the agent of {node} answers",
        lambda: http_get(agent_pod(node), 9810, "/healthz") is not None and agent_process(node),
        seconds,
    )


def wait_operator_ready(seconds=30):
    wait_until(
        "the operator is ready",
        lambda: http_get(operator_pod(), 8080, "/readyz") is not None,
        seconds,
    )
