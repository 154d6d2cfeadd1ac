# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""A control plane on loopback: etcd and kube-apiserver, with Skep's CRDs and roles, no kubelet."""

import http.client
import json
import os
import pathlib
import ssl
import subprocess
import threading

from clock import Clock
from processes import ROOT, free_port, start, wait_for

SYSTEM = "skep-system"
POLICIES = "/apis/skep.dev/v1alpha1"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
AUDIENCE = "https://kubernetes.default.svc"
OPERATOR_USER = f"system:serviceaccount:{SYSTEM}:skep-operator"

# Who wrote which status: what the operator sends is kept whole.
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {
            "level": "Request",
            "users": [OPERATOR_USER],
            "verbs": ["patch"],
            "resources": [{"group": "skep.dev"}],
        },
        {"level": "Metadata", "users": [OPERATOR_USER]},
        {"level": "None"},
    ],
}


def kubernetes():
    """The folder of Kubernetes' programs, which are built where nobody has said where they are."""
    if "SKEP_KUBERNETES" not in os.environ:
        build = subprocess.run(
            [ROOT / "e2e/cluster/build-kubernetes"], check=True, stdout=subprocess.PIPE, text=True
        )
        os.environ["SKEP_KUBERNETES"] = build.stdout.strip()
    return pathlib.Path(os.environ["SKEP_KUBERNETES"])


class Refused(Exception):
    """The API server said no; the message says why."""

    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class Plane:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.programs = kubernetes()
        self.etcd_port, self.port = free_port(), free_port()
        self.etcd = self.server = None
        self.local = threading.local()
        self._write_files()
        self.context = ssl.create_default_context(cafile=self.folder / "tls.crt")

    def _write_files(self):
        # As of yesterday, so that a clock that is set back finds it valid.
        yesterday = Clock(self.folder / "yesterday")
        yesterday.jump(-86400)
        subprocess.run(
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=chaos -days 30"
            " -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.crt".split(),
            cwd=self.folder,
            env=os.environ | yesterday.environment(),
            check=True,
            capture_output=True,
        )
        (self.folder / "tokens.csv").write_text("admin-token,admin,1,system:masters\n")
        (self.folder / "audit.json").write_text(json.dumps(AUDIT))

    def start_etcd(self):
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{free_port()}"
        arguments = ["etcd", f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync"]
        arguments += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
        arguments += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
        arguments += [f"--initial-cluster=default={peer}", "--quota-backend-bytes=8589934592"]
        self.etcd = start(arguments, self.folder / "etcd.log")

    def start_server(self):
        self.server = start(
            [
                self.programs / "kube-apiserver",
                f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                f"--secure-port={self.port}",
                "--insecure-port=0",
                "--tls-cert-file=tls.crt",
                "--tls-private-key-file=tls.key",
                "--client-ca-file=tls.crt",
                f"--cert-dir={self.folder}",
                "--service-cluster-ip-range=10.96.0.0/16",
                f"--service-account-issuer={AUDIENCE}",
                "--service-account-key-file=tls.key",
                "--service-account-signing-key-file=tls.key",
                "--token-auth-file=tokens.csv",
                "--authorization-mode=RBAC",
                "--disable-admission-plugins=ServiceAccount,Priority",
                "--audit-policy-file=audit.json",
                "--audit-log-path=audit.log",
                "--audit-log-maxsize=4096",
                "--etcd-compaction-interval=0",
            ],
            self.folder / "kube-apiserver.log",
            cwd=self.folder,
        )
        wait_for("the API server is ready", self.is_ready, 120)

    def kill_server(self):
        self.server.kill()
        self.server.wait()

    def compact(self):
        """Forgets all that etcd knows of the past: watches that would go on from there get 410."""
        environment = os.environ | {"ETCDCTL_API": "3"}
        control = ["etcdctl", f"--endpoints=http://127.0.0.1:{self.etcd_port}"]
        answer = subprocess.run(
            [*control, "get", "x", "-w", "json"], env=environment, check=True, capture_output=True
        )
        revision = json.loads(answer.stdout)["header"]["revision"]
        subprocess.run(
            [*control, "compact", str(revision)], env=environment, check=True, capture_output=True
        )

    def is_ready(self):
        try:
            return self.call("GET", "/readyz", parse=False) and self.call(
                "GET", "/api/v1/namespaces/default"
            )
        except (OSError, http.client.HTTPException, Refused):
            return False

    def _connection(self):
        if not getattr(self.local, "connection", None):
            self.local.connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=60, context=self.context
            )
        return self.local.connection

    def call(self, method, path, body=None, media=None, parse=True):
        """Asks the API server, as its admin; Refused where it says no."""
        headers = {"Authorization": "Bearer admin-token"}
        if body is not None:
            headers["Content-Type"] = media or "application/json"
            body = json.dumps(body)
        connection = self._connection()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status >= 300:
            raise Refused(answer.status, f"{method} {path}: {text.decode(errors='replace')[:500]}")
        return json.loads(text) if parse else text.decode()

    def items(self, path):
        """A collection, and the version at which it was so."""
        answer = self.call("GET", path)
        return answer["items"], answer["metadata"]["resourceVersion"]

    def token(self, account, audience=AUDIENCE, pod=None):
        """A token of a service account of skep-system, by TokenRequest, bound to a pod if given."""
        spec = {"audiences": [audience], "expirationSeconds": 24 * 3600}
        if pod:
            metadata = {key: pod["metadata"][key] for key in ("name", "uid")}
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", **metadata}
        path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return self.call("POST", path, request)["status"]["token"]

    def write_kubeconfig(self, path, token, port=None):
        """By which somebody who has this token finds the API server, or a relay to it."""
        server = f"https://127.0.0.1:{port or self.port}"
        authority = str(self.folder / "tls.crt")
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "clusters": [
                {"name": "x", "cluster": {"server": server, "certificate-authority": authority}}
            ],
            "users": [{"name": "x", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }
        path.write_text(json.dumps(content))

    def kubectl(self, *words):
        options = [f"--server=https://127.0.0.1:{self.port}", "--token=admin-token"]
        options += [f"--certificate-authority={self.folder}/tls.crt"]
        environment = os.environ | {"KUBECONFIG": "/dev/null", "HOME": str(self.folder)}
        subprocess.run(
            [self.programs / "kubectl", *options, *words],
            check=True,
            capture_output=True,
            env=environment,
        )

    def start(self):
        """Starts all of it and installs what Skep has in the API server."""
        self.start_etcd()
        self.start_server()
        self.kubectl("create", "namespace", SYSTEM)
        for folder in "crds", "config/rbac":
            self.kubectl("apply", "-k", ROOT / folder)
        wait_for("the CRDs are served", self._serves_policies)

    def _serves_policies(self):
        try:
            kinds = "observabilitypolicies", "clusterobservabilitypolicies", "probequotas"
            return all(self.call("GET", f"{POLICIES}/{kind}") for kind in kinds)
        except Refused:
            return False

    def stop(self):
        for process in self.server, self.etcd:
            if process:
                process.kill()
                process.wait()
