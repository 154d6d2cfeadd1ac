# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""A real Prometheus: what it scrapes from Skep, and what our rules make of it."""

import time

from lib import cluster, daemons, pods, policies, prometheus
from lib.case import ClusterTest
from lib.shell import wait_until

PYTHON = "/usr/bin/python3"
SERVER = {"app": "server"}
PORT = 8080
WEB_PORT = 8081
SIZE = 50_000
SCRAPES = 2  # within which a pod's series are there, one a second
EDGES = 250  # with the series of each, more than a policy has room for
LINGER = 60
EXPIRED = 75

# Answers a line with SIZE bytes; HTTP; and port 53, as a name server that knows no name.
SERVE = f"""
import http.server, socket, socketserver, threading
web = http.server.HTTPServer(("", {WEB_PORT}), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=web.serve_forever).start()
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"x" * {SIZE})
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
threading.Thread(target=Server(("", {PORT}), Answer).serve_forever).start()
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("", 53))
while True:
    question, asker = names.recvfrom(512)
    names.sendto(question[:2] + bytes((0x81, 0x83)) + question[4:], asker)
"""

ASK = f"""
import socket, sys
with socket.create_connection((sys.argv[1], {PORT}), 5) as s:
    s.sendall(b"more\\n")
    got = 0
    while got < {SIZE}:
        got += len(s.recv(65536))
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.settimeout(5)
question = bytes((7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)) + b"\\4name\\7example\\0" + bytes((0, 1, 0, 1))
names.sendto(question, (sys.argv[1], 53))
names.recv(512)
"""

# Tries every port once, within the pod, where nobody listens.
REFUSED = f"""
import socket
for port in range(20000, 20000 + {EDGES}):
    with socket.socket() as s:
        s.connect_ex(("127.0.0.1", port))
"""


class Scraped(ClusterTest):
    """What Prometheus has of Skep's own figures."""

    def setUp(self):
        super().setUp()
        self.prometheus = prometheus.Prometheus(self)

    def test_targets(self):
        """the scrape example finds operator and agents, under their nodes' names"""
        wanted = {("skep-node-agent", node) for node in cluster.NODES}
        wanted.add(("skep-operator", daemons.operator_pod()["metadata"]["name"]))
        wait_until("all targets are up", lambda: self.up() == wanted)
        for target in self.prometheus.targets():
            self.assertEqual(set(target["labels"]), {"job", "instance"})

    def up(self):
        return {(labels["job"], labels["instance"]) for labels, _ in self.prometheus.query("up == 1")}

    def test_operator(self):
        """the operator's figures"""
        nodes = wait_until("its nodes", lambda: self.prometheus.query("skep_operator_nodes"))
        self.assertEqual([value for _, value in nodes], [len(cluster.NODES)])

    def test_rules(self):
        """the rules load, and each is evaluated without an error"""
        wait_until("each rule has been evaluated", self.all_evaluated, 30)
        rules = self.prometheus.rules()
        self.assertEqual([rule["lastError"] for rule in rules if rule.get("lastError")], [])
        self.assertEqual({rule["health"] for rule in rules}, {"ok"})

    def all_evaluated(self):
        rules = self.prometheus.rules()
        return rules and all(rule["health"] != "unknown" for rule in rules)


class Watched(ClusterTest):
    """Two pods on two nodes, watched by every probe, that talk to each other."""

    def setUp(self):
        super().setUp()
        a, b = cluster.NODES
        self.server = self.start_pod("server", SERVER, node=a, command=(PYTHON, "-c", SERVE))
        self.client = self.start_pod("client", {"app": "client"}, node=b)
        self.apply_policy("all", probes=self.probes())
        policies.wait_ready(self.namespace, "all", "Attached")

    @staticmethod
    def probes():
        """Every type that the API server knows."""
        definition = cluster.get("customresourcedefinition", "observabilitypolicies.skep.dev")
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        probe = schema["properties"]["spec"]["properties"]["probes"]["items"]
        return [{"type": name} for name in probe["properties"]["type"]["enum"]]

    def ask(self):
        """The client asks the server once, as soon as that listens."""
        address = pods.address(self.server)
        command = (PYTHON, "-c", ASK, address)
        wait_until("the server answers", lambda: self.run_in("client", *command) == "", 20, 0.5)

    def run_in(self, name, *command):
        return pods.execute(self.namespace, name, *command, check=True)

    def server_metric(self, name):
        return daemons.pod_metric(self.server, name)

    def test_series(self):
        """a watched pod's series: labels and values, within two scrapes"""
        scraper = prometheus.Prometheus(self)
        wait_until("its targets are up", lambda: len(scraper.query("up == 1")) == 3)
        self.ask()
        sent = f'skep_tcp_sent_bytes_total{{k8s_namespace_name="{self.namespace}",role="server"}}'
        [(labels, value)] = wait_until("the series", lambda: scraper.query(sent), SCRAPES + 1)
        self.assertEqual(value, SIZE)
        for name, expected in {
            "job": "skep-node-agent",
            "instance": self.server["spec"]["nodeName"],
            "k8s_pod_name": "server",
            "peer_kind": "Pod",
            "peer_namespace": self.namespace,
            "peer_name": "client",
            "server_port": str(PORT),
        }.items():
            self.assertEqual(labels.get(name), expected, name)
        sums = f'workload:skep_tcp_sent_packets:rate5m{{k8s_namespace_name="{self.namespace}"}}'
        wait_until("sums of both ends", lambda: pod_names(scraper.query(sums)) == {"client", "server"})

    def test_http(self):
        """requests as both ends count them, within two scrapes, and what the rules make of them"""
        scraper = prometheus.Prometheus(self)
        wait_until("its targets are up", lambda: len(scraper.query("up == 1")) == 3)
        self.ask()
        self.get_page()
        for end, peer in (("server", "client"), ("client", "server")):
            count = f'http_{end}_request_duration_seconds_count{{k8s_namespace_name="{self.namespace}"}}'
            [(labels, value)] = wait_until(end, lambda count=count: scraper.query(count), SCRAPES + 1)
            self.assertEqual(value, 1)
            for name, expected in {
                "job": "skep-node-agent",
                "k8s_pod_name": end,
                "peer_kind": "Pod",
                "peer_name": peer,
                "server_port": str(WEB_PORT),
                "http_request_method": "GET",
                "http_response_status_code": "200",
            }.items():
                self.assertEqual(labels.get(name), expected, name)
        self.get_page()
        for rule in ("errors:ratio_rate5m", "slow:ratio_rate5m"):
            name = f'workload:http_server_{rule}{{k8s_namespace_name="{self.namespace}"}}'
            [(labels, value)] = wait_until(rule, lambda name=name: scraper.query(name), 20)
            self.assertEqual(labels["k8s_pod_name"], "server")
            self.assertLess(value, 0.001)
        edge = f'edge:http_client_request_duration_seconds:p99_rate5m{{k8s_namespace_name="{self.namespace}"}}'
        [(labels, _)] = wait_until("the edge", lambda: scraper.query(edge), 20)
        self.assertEqual((labels["k8s_pod_name"], labels["peer_name"]), ("client", "server"))

    def get_page(self):
        url = f"http://{pods.address(self.server)}:{WEB_PORT}/etc/hostname"
        self.run_in("client", "/usr/bin/curl", "-sf", "-o", "/dev/null", url)

    def test_exposition(self):
        """promtool finds nothing wrong with agents and operator at work"""
        self.ask()
        for node in cluster.NODES:
            text = daemons.http_get(daemons.agent_pod(node), 9810, "/metrics")
            self.assertIn("skep_tcp_srtt_seconds_bucket", text)
            self.assertEqual(prometheus.check_metrics(text), "", node)
        text = daemons.http_get(daemons.operator_pod(), 8080, "/metrics")
        self.assertEqual(prometheus.check_metrics(text), "")

    def test_bound(self):
        """a policy's series are bounded; what is beyond is told, and sums stay exact"""
        self.run_in("client", PYTHON, "-c", REFUSED)
        refused = "skep_tcp_connects_refused_total"
        wait_until("each is counted", lambda: daemons.pod_metric(self.client, refused) == EDGES)
        overflow = daemons.pod_metric(self.client, refused, otel_metric_overflow="true")
        self.assertTrue(0 < overflow < EDGES, f"{overflow} of {EDGES} overflowed")
        metrics = daemons.agent_metrics(self.client["spec"]["nodeName"])
        own = [name for name, labels, _ in metrics if labels.get("k8s_pod_name") == "client"]
        self.assertLess(len(own), 10_500)
        of_policy = {"k8s_namespace_name": self.namespace, "policy": "all"}
        self.assertTrue(daemons.value(metrics, "skep_series_overflowed_total", **of_policy))
        self.measured = f"{len(own)} series, {int(overflow)} of {EDGES} edges beyond"

    def test_documented(self):
        """docs/metrics.md tells of every family that agents and operator show, and of no other"""
        self.ask()
        self.get_page()
        self.run_in("client", PYTHON, "-c", REFUSED)
        wait_until("the request", lambda: self.is_shown("http_server_request_duration_seconds"))
        # What a lookup that failed gives is told when it is clear that no other name is tried.
        wait_until("the lookup", lambda: self.is_shown("dns_lookup_duration_seconds"))
        self.assertEqual(prometheus.documented(), self.families())

    def is_shown(self, family):
        return any(family == name for name, _ in self.families())

    @staticmethod
    def families():
        texts = [daemons.http_get(daemons.agent_pod(node), 9810, "/metrics") for node in cluster.NODES]
        texts.append(daemons.http_get(daemons.operator_pod(), 8080, "/metrics"))
        return set().union(*map(prometheus.families, texts))

    def test_leave(self):
        """a deleted pod's series stay for a minute, and leave"""
        self.ask()
        wait_until("the series", lambda: self.server_metric("skep_tcp_sent_bytes_total") == SIZE)
        before = time.monotonic()
        pods.delete(self.namespace, "server")
        deleted = time.monotonic()
        time.sleep(LINGER - 5 - (deleted - before))
        self.assertEqual(self.server_metric("skep_tcp_sent_bytes_total"), SIZE)
        wait_until("they leave", lambda: self.server_metric("skep_tcp_sent_bytes_total") is None, 25)
        left = time.monotonic()
        self.assertGreaterEqual(left - before, LINGER)
        self.assertLessEqual(left - deleted, EXPIRED)
        self.measured = f"{left - deleted:.0f} s"


class PrometheusOperator(ClusterTest):
    """The objects for the Prometheus operator, on an API server that knows their kinds."""

    def setUp(self):
        super().setUp()
        for kind in ("PodMonitor", "PrometheusRule"):
            self.define(kind)

    def define(self, kind):
        plural = f"{kind.lower()}s"
        name = f"{plural}.monitoring.coreos.com"
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True}
        version["schema"] = {"openAPIV3Schema": schema}
        cluster.apply(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": name},
                "spec": {
                    "group": "monitoring.coreos.com",
                    "names": {"kind": kind, "plural": plural},
                    "scope": "Namespaced",
                    "versions": [version],
                },
            }
        )
        self.addCleanup(cluster.kubectl, "delete", "customresourcedefinition", name)
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")

    def test_rules(self):
        """PrometheusRule holds the groups that a real Prometheus loads of the files"""
        cluster.kubectl("apply", "-f", "-", stdin=prometheus.rule_objects())
        objects = cluster.get("prometheusrules", namespace=cluster.SYSTEM)
        groups = [group for rule in objects for group in rule["spec"]["groups"]]
        told = {group["name"]: [name_of(rule) for rule in group["rules"]] for group in groups}
        self.assertEqual(told, prometheus.Prometheus(self).rule_names())

    def test_monitors(self):
        """PodMonitors select the pods of both daemons, and a port that they have"""
        cluster.kubectl("apply", "-f", prometheus.FOLDER / "podmonitor.yaml")
        monitors = cluster.get("podmonitors", namespace=cluster.SYSTEM)
        self.assertEqual(len(monitors), len(cluster.DAEMONS))
        for monitor in monitors:
            [(name, value)] = monitor["spec"]["selector"]["matchLabels"].items()
            found = cluster.get("pods", namespace=cluster.SYSTEM, selector=f"{name}={value}")
            ports = [port["name"] for port in found[0]["spec"]["containers"][0]["ports"]]
            self.assertIn(monitor["spec"]["podMetricsEndpoints"][0]["port"], ports)


def name_of(rule):
    return rule.get("record") or rule.get("alert")


def pod_names(samples):
    return {labels.get("k8s_pod_name") for labels, _ in samples}
