# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""HTTP as real servers and clients made it and as the wire shows it, against what the agents tell.

The programs are in e2e/programs. Every server has the same paths, every client asks for the same.
"""

import collections
import hashlib
import itertools
import json
import os
import pathlib
import re
import unittest

from lib import api, cluster, daemons, pods, policies, shell
from lib.shell import wait_until
from lib.tap import Tap

PROGRAMS = cluster.E2E / "programs"
PORT, TLS_PORT = 8080, 8443
OTHER_PORT = 8081  # nginx: HTTP/2; Python: dies; Node: WebSocket
PYTHON, NODE, CURL = "/usr/bin/python3", "/usr/bin/node", "/usr/bin/curl"
JAVA = ("/usr/bin/java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

SERVERS = {
    "nginx": ("/programs/serve-nginx.sh",),
    "apache": ("/programs/serve-apache.sh",),
    "python": (PYTHON, "/programs/serve.py"),
    "node": (NODE, "/programs/serve.js"),
    "go": ("/built/serve",),
    "java": (*JAVA, "-Dsun.net.httpserver.nodelay=true", "/programs/Serve.java"),
}
CLIENTS = {
    "curl": ("/programs/ask-curl.sh",),
    "python": (PYTHON, "/programs/ask.py"),
    "node": (NODE, "/programs/ask.js"),
    "go": ("/built/ask",),
    "java": (*JAVA, "-Djdk.httpclient.allowRestrictedHeaders=connection", "/programs/Ask.java"),
}
# What each client asks of each server, by method and status.
ASKED = {
    ("GET", "200"): 5,
    ("HEAD", "200"): 1,
    ("POST", "200"): 1,
    ("PUT", "201"): 1,
    ("GET", "204"): 1,
    ("GET", "304"): 1,
    ("GET", "404"): 1,
    ("GET", "500"): 1,
}

DURATION = "http_{}_request_duration_seconds"
CONNECTIONS = "skep_http_connections_total"
OPAQUE = "skep_http_opaque_connections_total"
LOST = "skep_http_lost_total"
BY_CLIENT = "skep_http_aborted_by_client_total"
BY_SERVER = "skep_http_aborted_by_server_total"
ENDS = ("server", "client")

# The wire and the agent look at a packet at two places; values on a busy machine differ by chance.
TOLERANCE_SECONDS, TOLERANCE = 50e-6, 0.05
ATTEMPTS = 3


def built_programs():
    """The Go programs, in a folder of the cache: built once for each state of their sources."""
    sources = {name: PROGRAMS / f"{name}.go" for name in ("serve", "ask")}
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources.values())).hexdigest()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "skep" / f"go-programs-{state[:12]}"
    settings = {"CGO_ENABLED": "0", "GO111MODULE": "off", "GOFLAGS": ""}
    environment = {**os.environ, **settings, "GOCACHE": str(cache / "skep/go-cache")}
    for name, source in sources.items():
        if not (folder / name).exists():
            shell.run("go", "build", "-o", folder / name, source, timeout=600, env=environment)
    return folder


class HttpTruth(unittest.TestCase):
    """Servers and clients on both nodes, all watched: one namespace for all tests."""

    serial = itertools.count(1)

    @classmethod
    def setUpClass(cls):
        cls.namespace = f"e2e-truth-{os.getpid()}-{next(cls.serial)}"
        built = built_programs()
        cluster.create_namespace(cls.namespace)
        cls.addClassCleanup(cluster.delete_namespace, cls.namespace)
        wait_until("a service account", cls.has_account, 20)
        # Series of a policy are bounded on each node: one for the servers, one for the clients.
        for half in ("servers", "clients"):
            probes = [{"type": "HTTP"}]
            cluster.apply(policies.policy(cls.namespace, half, {"half": half}, probes))
        manifests = [
            cls.manifest(name, half, cluster.NODES[(number + shift) % 2], command, built)
            for shift, (half, programs) in enumerate((("servers", SERVERS), ("clients", CLIENTS)))
            for number, (name, command) in enumerate(programs.items())
        ]
        started = pods.start(*manifests)
        cls.pods = {shown["metadata"]["name"]: shown for shown in started}
        for half in ("servers", "clients"):
            policies.wait_ready(cls.namespace, half, "Attached", 30)
        for name in SERVERS:
            wait_until(f"{name} listens", lambda name=name: cls.listens(name), 40, 0.2)

    @classmethod
    def manifest(cls, name, half, node, command, built):
        """A client's pod idles until its program is run in it."""
        served = half == "servers"
        name = f"{name}-server" if served else f"{name}-client"
        labels = {"half": half}
        manifest = pods.pod(cls.namespace, name, labels, node, command=command if served else pods.IDLE)
        for volume, folder in (("programs", PROGRAMS), ("built", built)):
            manifest["spec"]["volumes"].append({"name": volume, "hostPath": {"path": str(folder)}})
            mount = {"name": volume, "mountPath": f"/{volume}", "readOnly": True}
            manifest["spec"]["containers"][0]["volumeMounts"].append(mount)
        return manifest

    @classmethod
    def has_account(cls):
        return cluster.kubectl(
            "get", "serviceaccount", "default", "-n", cls.namespace, "--ignore-not-found"
        )

    @classmethod
    def listens(cls, name):
        """Opens a connection and says nothing on it."""
        script = f"import socket; socket.create_connection(('{cls.host(name)}', {PORT}), 1); print('yes')"
        return "yes" in cls.run_in("python-client", PYTHON, "-c", script, check=False)

    @classmethod
    def host(cls, server):
        return pods.address(cls.pods[f"{server}-server"])

    @classmethod
    def url(cls, server, port=PORT):
        return f"http://{cls.host(server)}:{port}"

    @classmethod
    def run_in(cls, pod, *command, check=True):
        return pods.execute(cls.namespace, pod, *command, check=check)

    def setUp(self):
        self.measured = ""

    # What the agents tell.

    @classmethod
    def told(cls):
        """All samples of this namespace."""
        return [
            sample
            for node in cluster.NODES
            for sample in daemons.agent_metrics(node)
            if sample[1].get("k8s_namespace_name") == cls.namespace
        ]

    @classmethod
    def table(cls):
        """The exchanges by the end that tells, server, client, method and status."""
        found = collections.Counter()
        for name, labels, number in cls.told():
            for end in ENDS:
                if name != DURATION.format(end) + "_count":
                    continue
                pair = (labels["k8s_pod_name"], labels.get("peer_name"))
                pair = pair if end == "server" else pair[::-1]
                kind = (labels.get("http_request_method"), labels.get("http_response_status_code"))
                found[(end, *pair, *kind)] += round(number)
        return found

    def value(self, pod, name, **labels):
        return daemons.pod_metric(self.pods[pod], name, **labels) or 0

    def values(self, pod, *names):
        return {name: self.value(pod, name) for name in names}

    def wait_growth(self, before, expected, seconds=15):
        """Waits until the table has grown to what is expected, and looks that it is no more.

        Of the pairs of pods that are expected, as what others did before may show late.
        """
        pairs = {kind[1:3] for kind in expected}

        def grown():
            more = self.table() - before
            assert all(more[kind] >= expected[kind] for kind in expected), self.difference(more, expected)
            return collections.Counter({kind: more[kind] for kind in more if kind[1:3] in pairs})

        more = wait_until("all exchanges", grown, seconds, 0.3)
        self.assertEqual(self.difference(more, expected), "")

    @staticmethod
    def difference(told, expected):
        """The first few kinds that differ: what is told, and what is expected."""
        kinds = sorted(told.keys() | expected.keys(), key=str)
        lines = [f"{k}: {told[k]}, not {expected[k]}" for k in kinds if told[k] != expected[k]]
        return "; ".join(lines[:10])

    def expect(self, server, client, kinds):
        """What the table of both ends grows by."""
        return collections.Counter(
            {
                (end, f"{server}-server", f"{client}-client", *kind): number
                for kind, number in kinds.items()
                for end in ENDS
            }
        )

    # The tests.

    def test_table(self):
        """each request of five clients to six servers is counted once at both ends, and rightly"""
        urls = [self.url(server) for server in SERVERS]
        before, lost = self.table(), self.lost()
        expected = collections.Counter()
        for client, command in CLIENTS.items():
            said = self.run_in(f"{client}-client", *command, *urls)
            made = collections.Counter(tuple(line.split()) for line in said.splitlines())
            for server, url in zip(SERVERS, urls):
                of_server = {kind: made[(url, *kind)] for kind in ASKED}
                self.assertEqual(of_server, ASKED, f"what {client} says of {server}")
                expected += self.expect(server, client, ASKED)
            self.assertEqual(sum(made.values()), len(SERVERS) * sum(ASKED.values()))
        self.wait_growth(before, expected)
        self.assertEqual(self.lost(), lost)
        self.measured = f"{sum(expected.values()) // 2} requests, {len(expected)} kinds"

    def lost(self):
        return daemons.value(self.told(), LOST) or 0

    def test_load(self):
        """under load, no request to any server is missing, and none is counted twice"""
        for server in SERVERS:
            with self.subTest(server=server):
                self.check_load(server)

    def test_connection_for_each_request(self):
        """no request is missing that comes with the end of a handshake (Apache), or right after it (nginx)"""
        for server in ("nginx", "apache"):
            with self.subTest(server=server):
                self.check_load(server, "-H", "Connection: close")

    def check_load(self, server, *options):
        """What is still under way as wrk ends is in none of its own figures."""
        connections, before = 16, self.table()
        wrk = ("/usr/bin/wrk", "-t2", f"-c{connections}", "-d1", *options)
        said = self.run_in("curl-client", *wrk, f"{self.url(server)}/hello")
        made = int(re.search(r"(\d+) requests in", said).group(1))
        self.measured += f"{server} {made} "
        kinds = [(end, f"{server}-server", "curl-client", "GET") for end in ENDS]

        def counted():
            more = self.table() - before
            found = [sum(more[(*kind, status)] for status in ("200", "")) for kind in kinds]
            return found if min(found) >= made else None

        for number in wait_until("all requests", counted, 15, 0.3):
            self.assertLessEqual(number - made, connections)

    def test_within_a_pod(self):
        """a connection within the pod, over IPv4 and IPv6, is counted at both of its ends"""
        for address in ("127.0.0.1", "[::1]"):
            with self.subTest(address=address):
                before = {end: self.local(end) for end in ENDS}
                self.run_in("nginx-server", CURL, "-s", f"http://{address}:{PORT}/empty")
                for end in ENDS:
                    wait_until(f"the {end}'s", lambda end=end: self.local(end) == before[end] + 1)

    def local(self, end):
        """The exchanges of nginx's pod that no other pod had a part in."""
        told = self.told()
        name, of_pod = DURATION.format(end) + "_count", {"k8s_pod_name": "nginx-server"}
        kind = {"http_request_method": "GET", "http_response_status_code": "204"}
        every = daemons.value(told, name, **of_pod, **kind) or 0
        others = [f"{client}-client" for client in CLIENTS]
        return every - sum(
            daemons.value(told, name, **of_pod, **kind, peer_name=peer) or 0 for peer in others
        )

    def test_edges(self):
        """requests, errors and durations of an edge are in the operator's graph, from both ends"""
        bearer = api.make_account(self.namespace, "viewer")
        api.let_view(self.namespace, self.namespace, "viewer")
        pair = ("go-server", "node-client")
        for path in ("hello", "hello", "hello", "missing", "broken", "broken"):
            script = f"require('http').get('{self.url('go')}/{path}', (r) => r.resume())"
            self.run_in("node-client", NODE, "-e", script)

        def agree():
            edge = self.edge(bearer, *pair)
            table = {kind: number for kind, number in self.table().items() if kind[1:3] == pair}
            for end in ENDS:
                of_end = {kind: number for kind, number in table.items() if kind[0] == end}
                errors = sum(number for kind, number in of_end.items() if kind[4] == "500")
                told = {name: edge[end][name] for name in ("requests", "errors")}
                assert told == {"requests": sum(of_end.values()), "errors": errors}, (told, of_end)
            return edge

        edge = wait_until("the graph agrees with the metrics", agree, 40, 0.5)
        self.assertGreaterEqual(edge["client"]["requests"], 6)
        self.assertGreaterEqual(edge["client"]["errors"], 2)
        for end in ENDS:
            self.assertTrue(0 < edge[end]["durationSeconds"] < edge[end]["requests"], edge)
        self.assertEqual(edge["client"]["requestBytes"], edge["server"]["requestBytes"])

    def edge(self, bearer, server, client):
        found = [
            edge
            for edge in api.edges(bearer, self.namespace)
            if (edge["source"].get("name"), edge["destination"].get("name")) == (client, server)
        ]
        assert len(found) == 1, f"{len(found)} edges from {client} to {server}"
        assert (found[0]["protocol"], found[0]["port"]) == ("http", PORT), found[0]
        assert found[0]["observed"] == "both", found[0]
        return found[0]

    # Durations, against a tap on the wire.

    CLASSES = {"1": "211", "5": "212", "50": "213", "300": "214"}  # ms, and the status it is told by
    TIMES = {"1": 50, "5": 50, "50": 50, "300": 15}

    def test_durations(self):
        """durations are those of the wire at either end, in the mean and in the histogram"""
        taps = {
            "server": Tap(self, self.pods["python-server"], "python3", PORT),
            "client": Tap(self, self.pods["python-client"], "sleep", PORT),
        }
        for attempt in range(1, ATTEMPTS + 1):
            wrong = self.compare_durations(taps)
            if not wrong:
                self.measured += f" (attempt {attempt})" if attempt > 1 else ""
                return
        self.fail(f"{ATTEMPTS} times, the last time: " + "; ".join(wrong))

    def compare_durations(self, taps):
        """What differs too much, as sentences."""
        self.measured = "told/tap ms"
        before = {end: len(tap.exchanges()) for end, tap in taps.items()}
        sheets = {end: self.histograms(end) for end in ENDS}
        paths = [f"/wait/{ms}/{status}" for ms, status in self.CLASSES.items()]
        words = [word for pair in zip(self.TIMES.values(), paths) for word in map(str, pair)]
        server = f"{self.host('python')}:{PORT}"
        self.run_in("python-client", PYTHON, "/programs/ask-paths.py", server, *words)
        wrong = []
        for end, tap in taps.items():
            number = sum(self.TIMES.values())
            passed = tap.wait_exchanges(before[end] + number)[before[end] :]
            for path, status in zip(paths, self.CLASSES.values()):
                seconds = [exchange.seconds for exchange in passed if exchange.path == path]
                wrong += self.compare_class(end, status, seconds, sheets[end][status])
        return wrong

    def histograms(self, end):
        """Sum, count and buckets of each class, as the agent of this end tells them now."""
        pod = f"python-{end}"
        found = {status: collections.Counter() for status in self.CLASSES.values()}
        family = DURATION.format(end)
        for name, labels, number in daemons.agent_metrics(self.pods[pod]["spec"]["nodeName"]):
            status = labels.get("http_response_status_code")
            of_pod = (labels.get("k8s_namespace_name"), labels.get("k8s_pod_name"))
            if name.startswith(family) and of_pod == (self.namespace, pod) and status in found:
                found[status][labels.get("le", name.removeprefix(family))] += number
        return found

    def compare_class(self, end, status, wire, before):
        def grown():
            now = self.histograms(end)[status]
            return now if now["_count"] - before["_count"] >= len(wire) else None

        now = wait_until(f"all of status {status} at the {end}", grown)
        count = round(now["_count"] - before["_count"])
        self.assertEqual(count, len(wire), f"of status {status} at the {end}")
        told, true = (now["_sum"] - before["_sum"]) / count, sum(wire) / count
        self.measured += f" {end} {told * 1000:.3f}/{true * 1000:.3f}"
        wrong = []
        if abs(told - true) > max(TOLERANCE_SECONDS, TOLERANCE * true):
            wrong.append(f"{end}, status {status}: mean {told:.6f} s, on the wire {true:.6f} s")
        for bound in (bound for bound in now if not bound.startswith("_")):
            least, most = (
                sum(value <= float(bound) * factor + more for value in wire)
                for factor, more in ((1 - TOLERANCE, -TOLERANCE_SECONDS), (1 + TOLERANCE, TOLERANCE_SECONDS))
            )
            below = round(now[bound] - before[bound])
            if not least <= below <= most:
                wrong.append(
                    f"{end}, status {status}: {below} within {bound} s, on the wire {least} to {most}"
                )
        return wrong

    # Many connections.

    def test_many_connections(self):
        """ten thousand connections at once: all are seen, and each request on them is counted"""
        number = 10000
        before, ends = self.table(), {"server": "nginx-server", "client": "go-client"}
        seen = {end: self.values(pod, CONNECTIONS, LOST) for end, pod in ends.items()}
        command = (PYTHON, "/programs/hold.py", self.host("nginx"), PORT, number)
        self.assertEqual(int(self.run_in("go-client", *command)), 2 * number)
        self.wait_growth(before, self.expect("nginx", "go", {("GET", "200"): 2 * number}), 30)
        for end, pod in ends.items():
            now = self.values(pod, CONNECTIONS, LOST)
            more = {name: round(now[name] - seen[end][name]) for name in now}
            self.assertEqual(more, {CONNECTIONS: number, LOST: 0}, end)
        self.measured = f"{self.state_bytes()} bytes of state for each end of a connection"

    @staticmethod
    def state_bytes():
        """What the kernel keeps of each, before it rounds up to the size of what it allocates."""
        maps = json.loads(shell.run("bpftool", "--json", "map", "show"))
        sizes = [found["bytes_value"] for found in maps if found.get("name") == "http_connection"]
        return max(sizes, default=None)

    # What is no HTTP/1, or no more.

    def test_upgrade(self):
        """an upgrade to WebSocket is one exchange, and nothing in its frames is another"""
        pair = ("node-server", "python-client")
        before, opaque = self.table(), [self.value(pod, OPAQUE) for pod in pair]
        command = (PYTHON, "/programs/websocket.py", self.host("node"), OTHER_PORT)
        said = self.run_in("python-client", *command)
        self.assertEqual(said, "50 frames\n")
        self.wait_growth(before, self.expect("node", "python", {("GET", "101"): 1}))
        self.assertEqual([self.value(pod, OPAQUE) for pod in pair], opaque)

    def test_opaque(self):
        """HTTP/2 in clear text and TLS are told as connections that cannot be seen into"""
        cases = (
            ("--http2-prior-knowledge", self.url("nginx", OTHER_PORT)),
            ("-k", f"https://{self.host('nginx')}:{TLS_PORT}"),
        )
        pair = ("nginx-server", "curl-client")
        before, opaque = self.table(), [self.value(pod, OPAQUE) for pod in pair]
        for number, (option, url) in enumerate(cases, 1):
            with self.subTest(url=url):
                write = ("-o", "/dev/null", "-w", "%{http_code}")
                said = self.run_in("curl-client", CURL, "-s", option, *write, f"{url}/hello")
                self.assertEqual(said, "200")
                wanted = [value + number for value in opaque]
                wait_until("both ends", lambda w=wanted: [self.value(pod, OPAQUE) for pod in pair] == w)
        more = self.table() - before
        self.assertEqual([kind for kind in more if kind[1:3] == pair], [])

    # Exchanges that one end breaks off.

    def test_client_gives_up(self):
        """a client that gives up before the answer or is killed within it is told as such"""
        cases = (
            (("-m", "1", f"{self.url('python')}/wait/4000/200"), {"error_type": "no_response"}),
            ((f"{self.url('python')}/drip",), {"http_response_status_code": "200"}),
        )
        for arguments, labels in cases:
            with self.subTest(labels=labels):
                before = self.value("curl-client", BY_CLIENT, **labels)
                command = ("/usr/bin/timeout", "-s", "KILL", "2", CURL, "-s", *arguments)
                self.run_in("curl-client", *command, check=False)
                wait_until(
                    "the exchange that was given up",
                    lambda b=before, of=labels: self.value("curl-client", BY_CLIENT, **of) == b + 1,
                )

    def test_server_dies(self):
        """a server that dies before or within its answer, or resets it, is told as such at both ends"""
        pair = ("python-server", "curl-client")
        for path, status in (("/silent", ""), ("/killed", "200"), ("/reset", "200")):
            with self.subTest(path=path):
                of = {"http_response_status_code": status}
                before = [self.value(pod, BY_SERVER, **of) for pod in pair]
                url = self.url("python", OTHER_PORT) + path
                self.run_in("curl-client", CURL, "-s", "-m", "10", url, check=False)
                wanted = [value + 1 for value in before]
                wait_until(
                    "both ends", lambda o=of, w=wanted: [self.value(p, BY_SERVER, **o) for p in pair] == w
                )
