# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""HTTP by route, between pods: routes of a policy, and those that are found in the paths."""

import json

from lib import cluster, daemons, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

SERVER = {"app": "shop"}
CLIENT = {"app": "front"}
PORT = 8080
PYTHON = "/usr/bin/python3"
SERVED = "http_server_request_duration_seconds_count"
ASKED = "http_client_request_duration_seconds_count"
OTHER = "_OTHER"
FOUND_AT_ONCE = 100

SERVE = f"""
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.ThreadingHTTPServer(("", {PORT}), Answer).serve_forever()
"""

# Asks for each path that comes as an argument, one after the other on one connection.
ASK = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], timeout=10)
for path in sys.argv[2:]:
    connection.request("GET", path)
    connection.getresponse().read()
print("asked")
"""


class HttpRoutes(ClusterTest):
    """A server and a client on two nodes, both watched."""

    def begin(self, **http):
        a, b = cluster.NODES
        self.server = self.start_pod("shop", SERVER, node=a, command=(PYTHON, "-c", SERVE))
        self.client = self.start_pod("front", CLIENT, node=b)
        self.address = f"{pods.address(self.server)}:{PORT}"
        self.apply(**http)
        wait_until("the server listens", self.listens, 20)

    def apply(self, **http):
        self.apply_policy("http", probes=[{"type": "HTTP", "http": http}])
        policies.wait_ready(self.namespace, "http", "Attached")

    def listens(self):
        host, port = self.address.split(":")
        probe = f"import socket; socket.create_connection(('{host}', {port}), 1); print('yes')"
        said = pods.execute(self.namespace, "front", PYTHON, "-c", probe, check=False)
        return "yes" in said

    def ask(self, *paths):
        said = pods.execute(self.namespace, "front", PYTHON, "-c", ASK, self.address, *paths)
        self.assertIn("asked", said)

    def both(self, **labels):
        """The exchanges that server and client have counted."""
        return (
            daemons.pod_metric(self.server, SERVED, **labels) or 0,
            daemons.pod_metric(self.client, ASKED, **labels) or 0,
        )

    def wait_both(self, number, **labels):
        wait_until(
            f"{number} exchanges {json.dumps(labels)}",
            lambda: min(self.both(**labels)) >= number,
        )
        self.assertEqual(self.both(**labels), (number, number))

    def routes(self):
        """The routes that the server's series bear now."""
        node = self.server["spec"]["nodeName"]
        return {
            borne["http_route"]
            for sample, borne, _ in daemons.agent_metrics(node)
            if sample == SERVED
            and borne.get("k8s_namespace_name") == self.namespace
            and "http_route" in borne
        }

    def test_templates(self):
        """requests count under the policy's routes, what none takes under _OTHER"""
        self.begin(routes=["/", "/users/{id}", "/users/me", "/users/{id}/orders", "/f/{path...}"])
        self.ask("/", "/users/17", "/users/18?page=2", "/users/me", "/users/me/orders")
        self.ask("/f/a/b/c", "/nothing", "/users/missing", "/users/1/" + "x" * 400 + "/y")
        self.wait_both(9)
        self.wait_both(1, http_route="/")
        self.wait_both(3, http_route="/users/{id}")
        self.wait_both(1, http_route="/users/{id}", http_response_status_code="404")
        self.wait_both(1, http_route="/users/me")
        self.wait_both(1, http_route="/users/{id}/orders")
        self.wait_both(1, http_route="/f/{path...}")
        self.wait_both(2, http_route=OTHER)

    def test_found(self):
        """routes are found in the paths, and however many paths there are, rows stay bounded"""
        self.begin(byRoute=True)
        self.ask("/users/17", "/users/18?token=secret", "/users/19/")
        self.ask("/jobs/4e05a2e7-2ed3-4fb6-b2f9-312236fd8288/log")
        self.wait_both(3, http_route="/users/{number}")
        self.wait_both(1, http_route="/jobs/{uuid}/log")
        words = [f"/page-{a}{b}x" for a in "abcdefghijklmnop" for b in "abcdefghijklmnop"]
        self.ask(*words)
        self.wait_both(4 + len(words))
        self.assertGreater(min(self.both(http_route=OTHER)), len(words) - 2 * FOUND_AT_ONCE)
        shown = self.routes()
        self.measured = f"{len(words) + 2} routes asked for, {len(shown)} told"
        self.assertIn(OTHER, shown)
        self.assertLess(len(shown), FOUND_AT_ONCE + 10)
        self.assertFalse([route for route in shown if "secret" in route])

    def test_edit(self):
        """an edit of the routes loses no count, and each request is under the routes of its time"""
        self.begin()
        self.ask("/users/1")
        self.wait_both(1)
        self.assertEqual(self.routes(), set())
        self.apply(routes=["/users/{id}"])
        self.ask("/users/2", "/users/3")
        self.apply(routes=["/{kind}/{id}"])
        self.ask("/users/4")
        self.apply(byRoute=True)
        self.ask("/users/5")
        self.wait_both(5)
        self.wait_both(2, http_route="/users/{id}")
        self.wait_both(1, http_route="/{kind}/{id}")
        self.wait_both(1, http_route="/users/{number}")

    def test_union(self):
        """of two policies on a pod, the routes of both hold"""
        self.begin(routes=["/users/{id}"])
        also = {"type": "HTTP", "http": {"routes": ["/orders/{id}"]}}
        self.apply_policy("also", SERVER, probes=[also])
        policies.wait_ready(self.namespace, "also", "Attached")
        self.ask("/users/1", "/orders/2")
        self.wait_both(2)
        self.wait_both(1, http_route="/users/{id}")
        orders = daemons.pod_metric(self.server, SERVED, http_route="/orders/{id}")
        self.assertEqual(orders, 1)
        self.assertEqual(self.routes(), {"/users/{id}", "/orders/{id}"})

    def test_refused(self):
        """what is no route is refused, with the field"""
        for route in ("users", "/a b", "/x{id}", "/{rest...}/a", "//"):
            with self.assertRaisesRegex(Exception, "routes"):
                self.apply_policy("bad", probes=[{"type": "HTTP", "http": {"routes": [route]}}])
