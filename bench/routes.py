# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Memory of an agent that counts HTTP by route, without a cluster.

The agent starts with a stored selection of 50 pods, every probe on, and finds their cgroups. In each
a process talks with itself: first it asks for each of 200 routes, then for 20,000 paths of its own,
a million in all.
"""

import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from lib import pods
from lib.shell import wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent
PODS = 50
ROUTES = [f"/service-{number}/users/{{id}}/orders/{{order}}" for number in range(200)]
PATHS = 20000  # of each pod
HOLD_KIB = 15 * 1024
PORT = 19810
SECONDS = 60
NAMELESS = 6  # seconds after which counts wait for the name of the other end no more

# Asks itself, 16 at a time on one connection, for the paths that its standard input lists.
TALK = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"
def pass_on(sender, receiver, data):
    sender.sendall(data)
    left = len(data)
    while left:
        left -= len(receiver.recv(left))
paths = sys.stdin.read().split()
for at in range(0, len(paths), 16):
    some = paths[at:at + 16]
    asked = "".join(f"GET {path} HTTP/1.1\\r\\nHost: bench\\r\\n\\r\\n" for path in some)
    pass_on(client, server, asked.encode())
    pass_on(server, client, answer * len(some))
"""


def hierarchy():
    """The mount of cgroup v2."""
    beside = pathlib.Path("/sys/fs/cgroup/unified")
    return beside if beside.exists() else beside.parent


def uid(number):
    return f"00000000-0000-4000-8000-{number:012d}"


def selection():
    policies = ["bench/routes"]
    probes = [{"type": kind, "policies": policies} for kind in ("TCP", "DNS")]
    probes.append({"type": "Exec", "policies": policies, "exec": {"arguments": "Redacted"}})
    http_probe = {"byRoute": True, "routes": ROUTES}
    probes.append({"type": "HTTP", "policies": policies, "http": http_probe})
    selected = [
        {
            "uid": uid(number),
            "namespace": "bench",
            "name": f"app-{number}",
            "workload": {"kind": "Deployment", "name": f"app-{number % 10}"},
            "probes": probes,
            "containers": [],
        }
        for number in range(PODS)
    ]
    return {"type": "snapshot", "epoch": "0123456789abcdef", "revision": 1, "pods": selected}


@contextlib.contextmanager
def cgroups():
    """A cgroup for each pod, as a kubelet makes them; gone afterwards."""
    top = hierarchy() / f"skep-bench-{os.getpid()}"
    made = [top, top / "kubepods"]
    made += [top / "kubepods" / f"pod{uid(number)}" for number in range(PODS)]
    for folder in made:
        folder.mkdir()
    try:
        yield made[2:]
    finally:
        for folder in reversed(made):
            folder.rmdir()


@contextlib.contextmanager
def agent():
    with tempfile.TemporaryDirectory() as state:
        stored = pathlib.Path(state) / "selection.json"
        stored.write_text(json.dumps(selection()), encoding="utf-8")
        stored.chmod(0o600)
        command = [
            ROOT / "build/skep-node-agent",
            "--operator=127.0.0.1:1",  # nobody is there
            "--node=bench",
            f"--ca={stored}",
            f"--token={stored}",
            f"--state-dir={state}",
            f"--http-listen=127.0.0.1:{PORT}",
            "--log-level=error",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                yield process.pid
            finally:
                process.terminate()


def metrics():
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode()


def attached():
    """Whether every pod is attached to."""
    with contextlib.suppress(OSError):
        return f'skep_agent_pods{{state="Attached"}} {PODS}\n' in metrics()
    return False


def talk(cgroup, paths):
    def enter():
        (cgroup / "cgroup.procs").write_text("0", encoding="ascii")

    subprocess.run(
        [sys.executable, "-c", TALK], input="\n".join(paths).encode(), preexec_fn=enter, check=True
    )


def tell(pid, what):
    time.sleep(NAMELESS)
    lines = [line for line in metrics().splitlines() if not line.startswith("#")]
    routes = {line.split('http_route="')[1].split('"')[0] for line in lines if "http_route=" in line}
    print(
        f"{what:<42} {pods.resident_kib(pid):7,} KiB resident {pods.resident_kib(pid, 'VmHWM'):7,} KiB "
        f"at most  hold {HOLD_KIB:,}  ({len(routes)} routes in {len(lines):,} series)",
        flush=True,
    )


def measure():
    subprocess.run(["make", "-s", "all"], cwd=ROOT, check=True)
    with cgroups() as folders, agent() as pid:
        wait_until("the pods are attached to", attached, SECONDS)
        tell(pid, f"{PODS} pods, every probe, {len(ROUTES)} routes")
        for folder in folders:
            talk(folder, [route.replace("{id}", "17").replace("{order}", "4") for route in ROUTES])
        tell(pid, "each route asked for in each pod")
        for number, folder in enumerate(folders):
            talk(folder, [f"/path-of-{number}-x{path}x" for path in range(PATHS)])
        tell(pid, f"{PODS * PATHS:,} paths")
