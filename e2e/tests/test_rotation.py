# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Certificates that are renewed, and a CA that is followed by the next: no agent notices."""

import base64
import json
import pathlib
import ssl
import tempfile
import time

from lib import cluster, daemons, policies, stranger
from lib.case import ClusterTest
from lib.shell import run, wait_until

OPERATOR = "skep-operator"
SECRET = "skep-operator-tls"
WATCHED = {"app": "watched"}
LIFETIME = "--tls-certificate-lifetime=30s"  # renewed after 20 s, looked at each second


def set_arguments(arguments):
    containers = [{"name": "operator", "args": arguments}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    cluster.kubectl("patch", "deployment", OPERATOR, "-n", cluster.SYSTEM, "-p", json.dumps(patch))
    status = ("rollout", "status", f"deployment/{OPERATOR}", "-n", cluster.SYSTEM)
    cluster.kubectl(*status, "--timeout=110s", timeout=120)
    daemons.wait_operator_ready(60)


def served():
    """The certificate that the operator serves with, which whoever read the CAs now trusts."""
    with stranger.Connection() as connection:
        return connection.socket.getpeercert(binary_form=True)


def long_one():
    """Whether what is served holds for an hour: by an operator that makes such, once it is time."""
    with stranger.Connection() as connection:
        end = ssl.cert_time_to_seconds(connection.socket.getpeercert()["notAfter"])
    return end > time.time() + 3600


def secret():
    data = cluster.get("secret", SECRET, cluster.SYSTEM)["data"]
    return {name: base64.b64decode(value).decode() for name, value in data.items()}


def patch_secret(values):
    patch = json.dumps({"stringData": values})
    cluster.kubectl("patch", "secret", SECRET, "-n", cluster.SYSTEM, "--type=merge", "-p", patch)


def make_ca():
    """A certificate and a key, PEM, as any CA tool makes them."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = pathlib.Path(folder, "key"), pathlib.Path(folder, "certificate")
        made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        made += ("-nodes", "-days", "3650", "-subj", "/CN=the next CA")
        made += ("-addext", "keyUsage=critical,keyCertSign", "-keyout", key, "-out", certificate)
        run(*made)
        return certificate.read_text(), key.read_text()


class Rotation(ClusterTest):
    @classmethod
    def setUpClass(cls):
        before = cluster.get("deployment", OPERATOR, cluster.SYSTEM)["spec"]
        arguments = before["template"]["spec"]["containers"][0]["args"]
        cls.addClassCleanup(wait_until, "a long one", long_one, 60)
        cls.addClassCleanup(set_arguments, arguments)
        set_arguments([*arguments, LIFETIME])

    def setUp(self):
        super().setUp()
        self.start_pod("watched", WATCHED)
        self.apply_policy("kept", WATCHED)
        policies.wait_ready(self.namespace, "kept", "Attached", 40)
        wait_until("both agents connected", self.both_connected, 40)
        self.operator = daemons.operator_pod()["metadata"]["name"]
        self.lines = len(self.log())

    def log(self):
        return cluster.kubectl("logs", self.operator, "-n", cluster.SYSTEM).splitlines()

    @staticmethod
    def both_connected():
        metrics = daemons.operator_metrics()
        return daemons.value(metrics, "skep_operator_agents_connected") == len(cluster.NODES)

    def assert_nobody_left(self):
        gone = [line for line in self.log()[self.lines :] if "is gone" in line]
        self.assertEqual(gone, [])
        self.assertTrue(self.both_connected())

    def assert_new_ones_come(self):
        daemons.kill_agent("node-a")
        daemons.wait_agent_healthy("node-a", 60)
        wait_until("both agents connected", self.both_connected, 40)

    def test_certificate(self):
        """a certificate that nears its end is renewed; agents stay, and new ones come"""
        patch_secret({"tls.crt": ""})  # the one before may hold for a year
        first = wait_until("a short one", self.short_one, 30)
        second = wait_until("the next one", lambda: served() not in (first, b"") and served(), 60)
        wait_until("the one after it", lambda: served() != second, 60)
        self.assert_nobody_left()
        self.assert_new_ones_come()

    @staticmethod
    def short_one():
        """What is served, if it ends within a minute."""
        with stranger.Connection() as connection:
            end = ssl.cert_time_to_seconds(connection.socket.getpeercert()["notAfter"])
            binary = connection.socket.getpeercert(binary_form=True)
        return binary if end < time.time() + 60 else None

    def test_authority(self):
        """a CA is followed by the next: published first, then signing; agents stay"""
        before = secret()["ca.crt"]
        certificate, key = make_ca()
        follows = {"next-ca.crt": certificate, "next-ca.key": key, "next-ca.published": ""}
        patch_secret(follows)
        wait_until("both CAs are published", lambda: self.published(before, certificate), 30)
        wait_until("the agents see them", lambda: self.agents_see(certificate), 150, 1)
        self.assertEqual(secret()["ca.crt"], before)
        long_ago = str(int(time.time()) - 2 * 24 * 3600)
        patch_secret({"next-ca.published": long_ago})
        wait_until("it signs", lambda: secret()["ca.crt"] == certificate, 30)
        self.assertEqual(secret()["old-ca.crt"], before)
        wait_until("both are still published", lambda: self.published(certificate, before), 30)
        self.assert_nobody_left()
        self.assert_new_ones_come()

    @staticmethod
    def published(*certificates):
        found = stranger.certificate_authority()
        return all(certificate.strip() in found for certificate in certificates)

    @staticmethod
    def agents_see(certificate):
        """The kubelet brings a ConfigMap to pods when it looks at them: a new annotation asks it to."""
        for node in cluster.NODES:
            name = daemons.agent_pod(node)["metadata"]["name"]
            mark = f"skep.dev/look={time.time()}"
            cluster.kubectl("annotate", "pod", name, "-n", cluster.SYSTEM, "--overwrite", mark)
            seen = pathlib.Path(f"/proc/{daemons.agent_process(node)}/root/etc/skep/ca/ca.crt")
            if certificate.strip() not in seen.read_text():
                return False
        return True
