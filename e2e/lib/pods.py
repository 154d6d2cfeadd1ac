# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Pods that run the host's programs in real containers, and what the host sees of them."""

import os
import pathlib
import signal

from lib import cluster
from lib.shell import run, wait_until

HOST_FOLDERS = ("usr", "lib", "lib64", "bin", "etc")
IDLE = ("/bin/sleep", "infinity")


def container(name="main", command=IDLE):
    return {
        "name": name,
        "image": "localhost/host:1",
        "imagePullPolicy": "Never",
        "command": list(command),
        "volumeMounts": [
            {"name": folder, "mountPath": f"/{folder}", "readOnly": True} for folder in HOST_FOLDERS
        ],
    }


def pod(namespace, name, labels=None, node=None, containers=None, command=IDLE):
    """The manifest of a pod; `containers` (default: one, named "main") or a `command` for that one."""
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": containers or [container(command=command)],
        "volumes": [{"name": folder, "hostPath": {"path": f"/{folder}"}} for folder in HOST_FOLDERS],
    }
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": labels or {}},
        "spec": spec,
    }


def start(*manifests):
    """Creates pods and returns them, once they all run, as the API server shows them."""
    cluster.create(*manifests)
    return [wait_running(m["metadata"]["namespace"], m["metadata"]["name"]) for m in manifests]


def wait_running(namespace, name):
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "-n", namespace, "--timeout=60s")
    return cluster.get("pod", name, namespace)


def address(shown):
    """The pod's IP address; an assertion fails while it has none."""
    found = shown["status"].get("podIP")
    assert found, f"pod {shown['metadata']['name']} has no address yet"
    return found


def execute(namespace, name, *command, check=True, container_name=None):
    """Runs a command in a pod with kubectl exec."""
    where = ("-c", container_name) if container_name else ()
    return cluster.kubectl("exec", name, "-n", namespace, *where, "--", *command, check=check)


def delete(namespace, name):
    cluster.kubectl("delete", "pod", name, "-n", namespace, "--now", "--wait=true")


def hierarchy():
    """Where the cgroup v2 hierarchy is mounted (beside v1, or alone)."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if kind == "cgroup2" and point.startswith("/sys/fs/cgroup"):
            return pathlib.Path(point)
    raise AssertionError("no cgroup v2 hierarchy is mounted below /sys/fs/cgroup")


def cgroup(shown):
    """The folder of the pod's cgroup."""
    uid = shown["metadata"]["uid"]
    names = (f"pod{uid}", f"pod{uid.replace('-', '_')}.slice")
    for folder, children, _ in os.walk(hierarchy()):
        for child in children:
            if child.endswith(names):
                return pathlib.Path(folder) / child
    raise AssertionError(f"pod {shown['metadata']['name']} has no cgroup")


def processes(shown, name):
    """Process ids on the host of the pod's processes with this name (comm, 15 characters)."""
    found = []
    for listing in cgroup(shown).rglob("cgroup.procs"):
        for pid in map(int, listing.read_text().split()):
            try:
                comm = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if comm == name[:15]:
                found.append(pid)
    return sorted(found)


def kill(shown, name, number=signal.SIGKILL):
    """Kills the pod's process of this name, as the kernel's OOM killer would."""
    pids = wait_until(f"a process {name} in the pod", lambda: processes(shown, name))
    for pid in pids:
        os.kill(pid, number)


def resident_kib(pid, field="VmRSS"):
    """Resident memory of a process (field "VmHWM": its peak)."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} shows no {field}")


def in_namespaces(pid, *command):
    """Runs a host's program in the network namespace of a process."""
    return run("nsenter", "-t", pid, "-n", *command)


def sanitized(pid):
    """AddressSanitizer's own memory would be measured instead of the daemon's."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return "libasan" in maps.read()
