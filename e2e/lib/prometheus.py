# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""A real Prometheus on loopback that scrapes Skep as deploy/prometheus/scrape.yaml says, with our rules."""

import json
import pathlib
import re
import socket
import subprocess
import tempfile
import urllib.parse
import urllib.request

from lib import cluster, pods
from lib.shell import run, wait_until

FOLDER = cluster.REPOSITORY / "deploy/prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yaml"))
FAMILY = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)
DOCUMENTED = re.compile(r"^\| `(\w+)` +\| (counter|gauge|histogram) +\|", re.MULTILINE)
HTTP_SECONDS = 5
START_SECONDS = 30
STOP_SECONDS = 10
GLOBAL = "{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}"
DISCOVERY = re.compile(r"kubernetes_sd_configs:.*?label: (?P<selector>[^}]+)}\n", re.DOTALL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def discover(selector):
    """What Kubernetes' service discovery would find; Debian's Prometheus is built without it."""
    return [
        {
            "targets": [f"{pods.address(shown)}:{port['containerPort']}"],
            "labels": {
                "__meta_kubernetes_namespace": cluster.SYSTEM,
                "__meta_kubernetes_pod_name": shown["metadata"]["name"],
                "__meta_kubernetes_pod_node_name": shown["spec"]["nodeName"],
                "__meta_kubernetes_pod_phase": shown["status"]["phase"],
                "__meta_kubernetes_pod_container_name": container["name"],
                "__meta_kubernetes_pod_container_port_name": port["name"],
            },
        }
        for shown in cluster.get("pods", namespace=cluster.SYSTEM, selector=selector)
        for container in shown["spec"]["containers"]
        for port in container["ports"]
    ]


def configuration():
    """The example for users, with what service discovery would find in its place."""
    scrape, found = DISCOVERY.subn(
        lambda match: f"static_configs: {json.dumps(discover(match['selector']))}\n",
        (FOLDER / "scrape.yaml").read_text(),
    )
    assert found == len(cluster.DAEMONS), f"{found} jobs discover pods"
    rules = json.dumps([str(path) for path in RULES])
    return f"global: {GLOBAL}\nrule_files: {rules}\n{scrape}"


def rule_objects():
    """The rules as objects of the Prometheus operator."""
    return run(FOLDER / "prometheus-rule")


def families(text):
    """The families of an exposition, as a set of (name, type)."""
    return set(FAMILY.findall(text))


def documented():
    """Those of docs/metrics.md: rows of a table that give a name and a type."""
    return set(DOCUMENTED.findall((cluster.REPOSITORY / "docs/metrics.md").read_text()))


def check_metrics(text):
    """What promtool says of an exposition; "" if it finds nothing to say."""
    found = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HTTP_SECONDS,
        check=False,
    )
    return found.stdout or (f"exit {found.returncode}" if found.returncode else "")


class Prometheus:
    """Runs until the test ends; its data goes with it."""

    def __init__(self, test):
        folder = tempfile.TemporaryDirectory(prefix="skep-prometheus-")
        test.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.port = free_port()
        config = self.folder / "prometheus.yaml"
        config.write_text(configuration())
        run("promtool", "check", "config", config)
        self.log = self.folder / "log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={config}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        test.addCleanup(self.stop)
        wait_until("Prometheus is ready", self.ready, START_SECONDS)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ready(self):
        assert self.process.poll() is None, f"it has ended: {self.log.read_text()[-1000:]}"
        return self.get("/-/ready")

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self.port}{path}?{query}"
        with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:
            return answer.read().decode()

    def api(self, path, **parameters):
        return json.loads(self.get(f"/api/v1/{path}", **parameters))["data"]

    def targets(self):
        return self.api("targets", state="active")["activeTargets"]

    def query(self, expression):
        """The samples of an instant query, as a list of (labels, value)."""
        found = self.api("query", query=expression)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in found]

    def rules(self):
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]

    def rule_names(self):
        """The names of what each group records and alerts on."""
        groups = self.api("rules")["groups"]
        return {group["name"]: [rule["name"] for rule in group["rules"]] for group in groups}
