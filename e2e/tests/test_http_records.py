# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Requests that are told one by one: slow ones, those with a status, and samples."""

from lib import cluster, daemons, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

SERVER = {"app": "shop"}
CLIENT = {"app": "front"}
BOTH = {}
PORT = 8080
PYTHON = "/usr/bin/python3"
SERVED = "http_server_request_duration_seconds_count"

SERVE = f"""
import http.server, time
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(2.5)
        self.send_response(500 if self.path.startswith("/broken") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.ThreadingHTTPServer(("", {PORT}), Answer).serve_forever()
"""


class HttpRecords(ClusterTest):
    """A server and a client on two nodes, both watched."""

    def setUp(self):
        super().setUp()
        a, b = cluster.NODES
        self.server = self.start_pod("shop", SERVER, node=a, command=(PYTHON, "-c", SERVE))
        self.client = self.start_pod("front", CLIENT, node=b)
        self.address = pods.address(self.server)

    def watch(self, **settings):
        """Asks for these settings of both pods; also in place of others."""
        self.apply_policy("http", BOTH, [{"type": "HTTP", "http": settings}])
        policies.wait_ready(self.namespace, "http", "Attached")

    def ask(self, *paths):
        """Asks for all paths on one connection."""
        urls = []
        for path in paths:
            urls += ["-o", "/dev/null", f"http://{self.address}:{PORT}{path}"]
        command = ("/usr/bin/curl", "-s", *urls)
        pods.execute(self.namespace, "front", *command)

    def listen(self):
        """Returns when the server listens, asking for nothing."""
        reach = f"import socket; socket.create_connection(('{self.address}', {PORT}), 1); print(1)"
        command = (self.namespace, "front", PYTHON, "-c", reach)
        wait_until("the server listens", lambda: "1" in pods.execute(*command, check=False), 20)

    def events(self, **fields):
        """Of both nodes."""
        wanted = {"type": "HTTP", "namespace": self.namespace, **fields}
        return [event for node in cluster.NODES for event in daemons.events(node, **wanted)]

    def wait_events(self, number, **fields):
        """Waits for so many at each end; returns those of the client and those of the server."""

        def all_told():
            found = [self.events(role=role, **fields) for role in ("client", "server")]
            return found if min(map(len, found)) >= number else None

        return wait_until(f"{number} events of each end", all_told)

    def test_slow_and_status(self):
        """slow requests and those with a status are told at both ends, and no others"""
        self.watch(slowThreshold="2s", report=["5xx"])
        self.listen()
        self.ask("/quick?token=secret", "/slow/4711?token=secret", "/broken?token=secret")
        self.wait_events(2)
        for role, pod, peer in (("client", "front", "shop"), ("server", "shop", "front")):
            slow, broken = sorted(self.events(role=role), key=lambda event: event["time"])
            self.assertEqual(slow["reasons"], ["slow"])
            self.assertEqual(slow["url_path"], "/slow/{number}")
            self.assertEqual(slow["http_response_status_code"], 200)
            self.assertGreaterEqual(slow["duration_ms"], 2400)
            self.assertGreaterEqual(slow["duration_ms"], slow["first_byte_ms"])
            self.assertEqual(broken["reasons"], ["status"])
            self.assertEqual(broken["url_path"], "/broken")
            self.assertEqual(broken["http_response_status_code"], 500)
            for event in (slow, broken):
                self.assertEqual(event["pod"], pod)
                self.assertEqual(event["container"], "main")
                self.assertEqual(event["policies"], [f"{self.namespace}/http"])
                self.assertEqual(event["http_request_method"], "GET")
                self.assertEqual(event["server_address"], self.address)
                self.assertEqual(event["server_port"], PORT)
                self.assertEqual(event["peer_name"], peer)
                self.assertEqual(event["peer_namespace"], self.namespace)
                self.assertNotIn("secret", str(event))

    def test_samples(self):
        """both ends tell the same requests, and those for 8 are among those for 2"""
        requests = [f"/item/{number}" for number in range(120)]
        self.watch(sampleOneIn=2)
        self.listen()
        self.ask(*requests)
        served = lambda: daemons.pod_metric(self.server, SERVED)  # noqa: E731
        wait_until("all requests", lambda: served() == len(requests))
        client = wait_until("the same events of both ends", self.same_sequences)
        self.assertLess(len(client), 100)
        for event in self.events():
            self.assertEqual(event["reasons"], ["sampled"])
            self.assertEqual(event["url_path"], "/item/{number}")

    def same_sequences(self):
        client, server = (
            {event["sequence"] for event in self.events(role=role)} for role in ("client", "server")
        )
        return client if client == server and len(client) >= 20 else None

    def test_edited(self):
        """settings change in place: nothing that is counted is lost"""
        self.watch()
        self.listen()
        self.ask(*["/before"] * 5)
        self.watch(sampleOneIn=1, paths="Raw")
        self.ask("/users/4711?page=2")
        self.wait_events(1)
        self.watch(sampleOneIn=1, paths="None", ports=[PORT])
        self.ask("/users/4711?page=3")
        self.wait_events(2)
        for role in ("client", "server"):
            raw, none = sorted(self.events(role=role), key=lambda event: event["time"])
            self.assertEqual(raw["url_path"], "/users/4711")
            self.assertEqual(raw["url_query"], "page=2")
            self.assertNotIn("4711", str(none))
            self.assertNotIn("server_address", none)
        self.watch(sampleOneIn=1, ports=[PORT + 1])
        self.ask("/elsewhere")
        self.watch(report=["404"])
        self.ask("/after")
        wait_until("the last one", lambda: (daemons.pod_metric(self.server, SERVED) or 0) >= 8)
        self.assertEqual(daemons.pod_metric(self.server, SERVED), 8)
        self.assertEqual(len(self.events(role="server")), 2)
        for lost in ("skep_http_lost_total", "skep_http_events_lost_total"):
            self.assertEqual(daemons.pod_metric(self.server, lost), 0)

    def test_other_namespace(self):
        """requests of a pod that no policy selects are told by the other end only"""
        self.watch(sampleOneIn=1)
        elsewhere = self.make_namespace()
        self.start_pod("stranger", CLIENT, namespace=elsewhere)
        url = f"http://{self.address}:{PORT}/"
        self.listen()
        pods.execute(elsewhere, "stranger", "/usr/bin/curl", "-s", url)
        event = wait_until("an event", lambda: self.events(role="server"))[0]
        self.assertEqual(event["peer_name"], "stranger")
        self.assertEqual(event["peer_namespace"], elsewhere)
        for node in cluster.NODES:
            self.assertEqual(daemons.events(node, type="HTTP", namespace=elsewhere), [])
