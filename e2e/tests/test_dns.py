# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What the DNS probe tells of the names that a pod looks up."""

from lib import cluster, daemons, pods, policies
from lib.case import ClusterTest
from lib.shell import wait_until

WATCHED = {"app": "watched"}
ADDRESS = "192.0.2.7"
COUNT = "dns_lookup_duration_seconds_count"

DNSMASQ = (
    "/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file",
    "--no-hosts", "--no-resolv", "--no-ping", f"--host-record=web.example,{ADDRESS}", "--local=/#/",
)  # fmt: skip

# Answers every question after a while with "no error".
SLOW = """
import socket, time
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("", 53))
while True:
    question, asker = names.recvfrom(512)
    time.sleep(0.3)
    names.sendto(question[:2] + bytes((0x81, 0x80)) + question[4:], asker)
"""

# Takes every question and says nothing.
SILENT = """
import socket
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("", 53))
while True:
    names.recv(512)
"""

# Looks a name up as every program does, as often as told.
LOOK_UP = """
import socket, sys
for _ in range(int(sys.argv[2])):
    try:
        print(socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except socket.gaierror as error:
        print(error)
"""


class Dns(ClusterTest):
    def setUp(self):
        super().setUp()
        self.server = self.start_pod("names", {"app": "names"}, command=DNSMASQ)
        self.client = self.start_client("watched", WATCHED)
        wait_until("the name server answers", lambda: self.look_up("web.example") == [ADDRESS])

    def start_client(self, name, labels, namespace=None, server=None):
        """A pod whose resolver asks our server, with a search path as the kubelet writes it."""
        namespace = namespace or self.namespace
        manifest = pods.pod(namespace, name, labels)
        domain = "cluster.local"
        manifest["spec"]["dnsPolicy"] = "None"
        manifest["spec"]["dnsConfig"] = {
            "nameservers": [pods.address(server or self.server)],
            "searches": [f"{namespace}.svc.{domain}", f"svc.{domain}", domain],
            "options": [{"name": "ndots", "value": "5"}],
        }
        return pods.start(manifest)[0]

    def watch(self, **settings):
        self.apply_policy("dns", WATCHED, [{"type": "DNS", "dns": settings}])
        policies.wait_ready(self.namespace, "dns", "Attached")

    def look_up(self, name, times=1, pod="watched", namespace=None):
        command = ("/usr/bin/python3", "-c", LOOK_UP, name, str(times))
        return pods.execute(namespace or self.namespace, pod, *command).splitlines()

    def count(self, name=COUNT, **labels):
        return daemons.pod_metric(self.client, name, **labels) or 0

    def wait_count(self, least, name=COUNT, **labels):
        return wait_until(
            f"{name} of {least} or more", lambda: self.count(name, **labels) >= least
        )

    def events(self, **fields):
        """Of all nodes: pods of a test may be on different ones."""
        wanted = {"type": "DNS", "namespace": self.namespace, **fields}
        return [event for node in cluster.NODES for event in daemons.events(node, **wanted)]

    def test_lookups(self):
        """lookups are counted by name, type, code and transport"""
        self.watch()
        self.look_up("web.example.", 5)
        found = {
            "dns_question_name": "web.example",
            "dns_question_type": "A",
            "dns_response_code": "NOERROR",
            "network_transport": "udp",
            "dns_search": "false",
        }
        self.wait_count(5, **found)
        self.assertEqual(self.count(**found), 5)
        self.assertEqual(self.count(), 5)
        self.assertLess(self.count("dns_lookup_duration_seconds_sum"), 5)
        for name in ("timeouts", "retries", "truncated", "malformed", "messages_lost"):
            self.assertEqual(self.count(f"skep_dns_{name}_total"), 0, name)
        self.assertEqual(self.events(), [])

    def test_tcp(self):
        """lookups over TCP are counted as such"""
        self.watch()
        server = pods.address(self.server)
        dig = ("/usr/bin/dig", "+tcp", "+short", f"@{server}", "web.example")
        self.assertEqual(pods.execute(self.namespace, "watched", *dig).strip(), ADDRESS)
        self.wait_count(1, network_transport="tcp", dns_question_name="web.example")

    def test_failed_lookup(self):
        """a name that does not exist is told once, as it was asked, with its pod and container"""
        self.watch(failures=True)
        self.look_up("wbe.example", 3)
        events = wait_until(
            "three events", lambda: len(found := self.events(question="wbe.example")) >= 3 and found
        )
        self.assertEqual(len(self.events()), 3)
        event = events[0]
        self.assertEqual(event["response_code"], "NXDOMAIN")
        self.assertEqual(event["question_type"], "A")
        self.assertEqual(event["server"], pods.address(self.server))
        self.assertEqual(event["transport"], "udp")
        self.assertEqual(event["pod"], "watched")
        self.assertEqual(event["container"], "main")
        self.assertEqual(event["policies"], [f"{self.namespace}/dns"])
        self.assertIs(event["timed_out"], False)
        steps = {"dns_response_code": "NXDOMAIN", "dns_search": "true"}
        self.wait_count(9, **steps)
        self.assertEqual(self.count(**steps), 9)
        self.assertEqual(self.count(dns_response_code="NXDOMAIN", dns_search="false"), 3)

    def test_slow_lookup(self):
        """a lookup that takes longer than the threshold is told, a quick one is not"""
        command = ("/usr/bin/python3", "-c", SLOW)
        slow = self.start_pod("slow", {"app": "slow"}, command=command)
        self.start_client("patient", WATCHED, server=slow)
        wait_until(
            "the slow server answers",
            lambda: "Temporary" not in self.look_up("early.example.", pod="patient")[0],
        )
        self.watch(slowThreshold="250ms")
        self.look_up("web.example.")
        self.look_up("late.example.", pod="patient")
        event = wait_until("an event", lambda: self.events(pod="patient"))[0]
        self.assertEqual(event["question"], "late.example")
        self.assertEqual(event["response_code"], "NOERROR")
        self.assertGreaterEqual(event["duration_ms"], 300)
        self.assertEqual(self.events(pod="watched"), [])

    def test_timeout(self):
        """a server that does not answer: a timeout, a retry, an event"""
        command = ("/usr/bin/python3", "-c", SILENT)
        silent = self.start_pod("silent", {"app": "silent"}, command=command)
        self.watch(failures=True)
        dig = ("/usr/bin/dig", "+tries=2", "+time=1", f"@{pods.address(silent)}", "lost.example")
        pods.execute(self.namespace, "watched", *dig, check=False)
        self.wait_count(1, "skep_dns_timeouts_total", dns_question_type="A")
        self.wait_count(1, "skep_dns_retries_total")
        events = wait_until(
            "two events", lambda: len(found := self.events(question="lost.example")) >= 2 and found
        )
        self.assertEqual([event["retries"] for event in events], [0, 1])
        for event in events:
            self.assertIs(event["timed_out"], True)
            self.assertNotIn("response_code", event)

    def test_other_namespace(self):
        """what a pod of another namespace looks up is neither counted nor told"""
        other = self.make_namespace()
        stranger = self.start_client("watched", WATCHED, namespace=other)
        self.watch(slowThreshold="1ms", failures=True)
        self.look_up("secret.example.", namespace=other)
        self.look_up("public.example.")
        self.wait_count(1)
        wait_until("an event", lambda: self.events(question="public.example"))
        for shown in (self.client, stranger):
            node = shown["spec"]["nodeName"]
            self.assertEqual(daemons.events(node, question="secret.example"), [])
            self.assertIsNone(
                daemons.value(daemons.agent_metrics(node), COUNT, k8s_namespace_name=other)
            )
