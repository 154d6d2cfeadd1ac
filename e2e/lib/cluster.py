# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""The cluster of e2e/cluster/up, and kubectl on it."""

import http.client
import json
import os
import pathlib
import ssl

from lib.shell import run, wait_until

E2E = pathlib.Path(__file__).resolve().parent.parent
REPOSITORY = E2E.parent
STATE = pathlib.Path(
    os.environ.get("SKEP_CLUSTER")
    or pathlib.Path(os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state")
    / "skep/cluster"
)
NODES = ("node-a", "node-b")
SYSTEM = "skep-system"


DAEMONS = ("skep-operator", "skep-node-agent")


def bring_up():
    """Starts what does not run: the cluster, and Skep on it, from images of what is in the tree."""
    run(E2E / "cluster/up", timeout=1800)
    if "SKEP_BINARIES" not in os.environ:
        run("make", "-s", "-C", REPOSITORY, "images", timeout=1800)
    own = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    run(E2E / "install", timeout=300, env=own)


def sanitize():
    """Makes images of the daemons with sanitizers; Skep is installed from these from now on.

    The next e2e/install of another process puts the usual ones in their place.
    """
    binaries = REPOSITORY / "build/sanitized"
    os.environ["SKEP_BINARIES"] = str(binaries)
    (binaries / "images").mkdir(parents=True, exist_ok=True)
    run("make", "-s", "-C", REPOSITORY, "-j", os.cpu_count(), "sanitized", timeout=1800)
    for daemon in DAEMONS:
        run(REPOSITORY / "deploy/images/build", daemon)


def restart(component, *node):
    """Ends a component (say "kube-apiserver") and starts it again."""
    run(E2E / "cluster/restart", component, *node)


def kubectl(*arguments, stdin=None, check=True, timeout=60):
    return run(
        STATE / "programs/kubectl",
        "--kubeconfig",
        STATE / "kubeconfig",
        *arguments,
        stdin=stdin,
        check=check,
        timeout=timeout,
    )


class ApiConnection:
    """Requests without kubectl, which allows itself only a few a second."""

    def __init__(self):
        certificates = STATE / "certificates"
        context = ssl.create_default_context(cafile=certificates / "ca.crt")
        context.load_cert_chain(certificates / "admin.crt", certificates / "admin.key")
        server = kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
        host, port = server.removeprefix("https://").split(":")
        self.connection = http.client.HTTPSConnection(host, int(port), timeout=60, context=context)

    def request(self, method, path, body=None, content="application/json"):
        headers = {"Content-Type": content}
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        assert answer.status < 300, f"{method} {path}: {answer.status} {text[:500]}"
        return json.loads(text)

    def patch(self, path, changes):
        """Changes members of an object, and leaves the others as they are."""
        return self.request("PATCH", path, changes, "application/merge-patch+json")


def get(kind, name=None, namespace=None, selector=None):
    """An object, or a list of objects if no name is given, as parsed JSON."""
    arguments = ["get", kind, "-o", "json"]
    arguments += [name] if name else []
    arguments += ["-n", namespace] if namespace else []
    arguments += ["-l", selector] if selector else []
    answer = json.loads(kubectl(*arguments))
    return answer if name else answer["items"]


def apply(*objects, check=True):
    return kubectl("apply", "-f", "-", stdin=json.dumps(object_list(objects)), check=check)


def create(*objects, check=True):
    return kubectl("create", "-f", "-", stdin=json.dumps(object_list(objects)), check=check)


def object_list(objects):
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def create_namespace(name):
    """Waits for one of this name that is about to go."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    wait_until(f"namespace {name} can be made", lambda: create(manifest), 60, interval=0.5)


def delete_namespace(name):
    kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def service_address(name, namespace=SYSTEM):
    return get("service", name, namespace)["spec"]["clusterIP"]
