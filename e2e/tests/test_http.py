# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What the HTTP probe tells of requests between pods."""

import json
import re

from lib import cluster, daemons, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

SERVER = {"app": "shop"}
CLIENT = {"app": "front"}
PORT = 8080
PYTHON = "/usr/bin/python3"
SERVED = "http_server_request_duration_seconds_count"
ASKED = "http_client_request_duration_seconds_count"

NGINX = f"""
mkdir -p /tmp/nginx && cd /tmp/nginx && echo hello > index.html && cat > nginx.conf <<'END'
daemon off; worker_processes 2; pid /tmp/nginx/pid; error_log /dev/stderr;
events {{ worker_connections 256; }}
http {{
  access_log off; root /tmp/nginx; keepalive_requests 1000000;
  client_body_temp_path /tmp/nginx/body; proxy_temp_path /tmp/nginx/proxy;
  fastcgi_temp_path /tmp/nginx/fastcgi; uwsgi_temp_path /tmp/nginx/uwsgi;
  scgi_temp_path /tmp/nginx/scgi;
  server {{
    listen {PORT};
    location /broken {{ return 503; }}
    location /made {{ return 201; }}
  }}
}}
END
exec /usr/sbin/nginx -c /tmp/nginx/nginx.conf
"""

# Python's own server: a response in chunks, one that ends with the connection, a slow one.
SERVE = f"""
import http.server, time
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(20):
                self.wfile.write(b"6\\r\\nchunk\\n\\r\\n")
            self.wfile.write(b"0\\r\\n\\r\\n")
        elif self.path == "/close":
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"the end")
        else:
            time.sleep(4 if self.path == "/hold" else 0.3)
            self.send_header("Content-Length", "0")
            self.end_headers()
http.server.ThreadingHTTPServer(("", {PORT}), Answer).serve_forever()
"""


class Http(ClusterTest):
    """A server and a client on two nodes, both watched."""

    def begin(self, *server):
        a, b = cluster.NODES
        self.server = self.start_pod("shop", SERVER, node=a, command=server)
        self.client = self.start_pod("front", CLIENT, node=b)
        self.apply_policy("http", probes=[{"type": "HTTP"}])
        policies.wait_ready(self.namespace, "http", "Attached")
        self.url = f"http://{pods.address(self.server)}:{PORT}"
        wait_until("the server listens", self.listens, 20)

    def listens(self):
        probe = f"import socket; socket.create_connection(('{pods.address(self.server)}', {PORT}), 1)"
        ran = f"{probe}; print('yes')"
        return "yes" in pods.execute(self.namespace, "front", PYTHON, "-c", ran, check=False)

    def curl(self, *arguments):
        command = ("/usr/bin/curl", "-s", "-o", "/dev/null", "-w", "%{http_code} ", *arguments)
        return pods.execute(self.namespace, "front", *command, check=False)

    def counted(self, shown, name, **labels):
        return daemons.pod_metric(shown, name, **labels) or 0

    def both(self, **labels):
        """The exchanges that server and client have counted."""
        return (
            self.counted(self.server, SERVED, **labels),
            self.counted(self.client, ASKED, **labels),
        )

    def wait_both(self, number, **labels):
        wait_until(
            f"{number} exchanges {json.dumps(labels)}",
            lambda: min(self.both(**labels)) >= number,
        )
        self.assertEqual(self.both(**labels), (number, number))

    def test_nginx(self):
        """each request to nginx is counted once at both ends, by method and status, with its peer"""
        self.begin("/bin/sh", "-c", NGINX)
        url = self.url
        self.curl(*(["-o", "/dev/null"] * 9), *([f"{url}/"] * 10))
        self.curl("-I", f"{url}/")
        self.curl(f"{url}/missing")
        self.curl(f"{url}/broken")
        self.curl("-X", "PUT", "-d", "x" * 5000, f"{url}/made")
        self.wait_both(14)
        self.wait_both(10, http_request_method="GET", http_response_status_code="200")
        self.wait_both(1, http_request_method="HEAD", http_response_status_code="200")
        self.wait_both(1, http_request_method="GET", http_response_status_code="404")
        self.wait_both(1, http_response_status_code="503", error_type="503")
        self.wait_both(1, http_request_method="PUT", http_response_status_code="201")
        self.assertEqual(self.counted(self.client, ASKED, error_type="404"), 1)
        self.assertEqual(self.counted(self.server, SERVED, error_type="404"), 0)
        self.assertEqual(self.counted(self.client, ASKED, peer_name="shop"), 14)
        self.assertEqual(
            self.counted(
                self.server, SERVED, role="server", peer_name="front", server_port=str(PORT)
            ),
            14,
        )
        for shown in (self.server, self.client):
            self.assertEqual(self.counted(shown, "skep_http_connections_total"), 5)
            self.assertEqual(self.counted(shown, "skep_http_opaque_connections_total"), 0)
            self.assertEqual(self.counted(shown, "skep_http_lost_total"), 0)

    def test_load(self):
        """of many requests on many connections, none is missing and none is counted twice"""
        self.begin("/bin/sh", "-c", NGINX)
        wrk = ("/usr/bin/wrk", "-t2", "-c50", "-d3", f"{self.url}/")
        said = pods.execute(self.namespace, "front", *wrk)
        made = int(re.search(r"(\d+) requests in", said).group(1))
        wait_until("all requests", lambda: min(self.both()) >= made)
        served, asked = self.both()
        given_up = self.counted(self.client, "skep_http_aborted_by_client_total")
        self.measured = f"{made} requests, served {served:.0f}, asked {asked:.0f}"
        # What is still under way as wrk ends is in none of its own figures.
        self.assertLessEqual(asked - made, 50)
        self.assertLessEqual(served - made, 50)
        self.assertLessEqual(given_up, 50)
        self.assertEqual(self.counted(self.server, "skep_http_lost_total"), 0)
        self.assertEqual(self.counted(self.client, "skep_http_lost_total"), 0)

    def test_python(self):
        """chunks, a response that ends with the connection, a slow one, and one given up"""
        self.begin(PYTHON, "-c", SERVE)
        for path in ("/chunks", "/close", "/slow"):
            self.curl(f"{self.url}{path}")
        self.wait_both(3, http_request_method="GET", http_response_status_code="200")
        for shown, role in ((self.server, "server"), (self.client, "client")):
            family = f"http_{role}_request_duration_seconds_sum"
            self.assertGreater(self.counted(shown, family), 0.3)
            self.assertLess(self.counted(shown, family), 10)
        self.curl("-m", "1", f"{self.url}/hold")
        wait_until(
            "the request given up",
            lambda: self.counted(
                self.client, "skep_http_aborted_by_client_total", error_type="no_response"
            )
            == 1,
        )

    def test_opaque(self):
        """what is no HTTP is told as such, and other namespaces are not seen"""
        self.begin(PYTHON, "-c", SERVE)
        elsewhere = self.make_namespace()
        stranger = self.start_pod("stranger", CLIENT, namespace=elsewhere)
        pods.execute(elsewhere, "stranger", "/usr/bin/curl", "-s", f"{self.url}/close")
        self.curl("-k", "-m", "2", f"https://{pods.address(self.server)}:{PORT}/")
        wait_until(
            "the opaque connection",
            lambda: self.counted(self.client, "skep_http_opaque_connections_total") == 1,
        )
        wait_until("the stranger's request", lambda: self.counted(self.server, SERVED) == 1)
        self.assertEqual(self.counted(self.client, ASKED), 0)
        self.assertEqual(self.counted(stranger, ASKED), 0)
