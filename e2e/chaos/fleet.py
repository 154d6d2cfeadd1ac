# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What is under test: operators that stand for each other, and the agents of all nodes."""

import json
import os
import subprocess
import time
import urllib.request

from clock import Clock
from plane import SYSTEM
from processes import ROOT, free_port, start, wait_for

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1:exitcode=99:verify_asan_link_order=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


class Operator:
    """One of the operators; it knows the API server by the port of a relay."""

    def __init__(self, plane, number, api_port, program):
        self.plane, self.number, self.program = plane, number, program
        self.agents_port, self.http_port = free_port(), free_port()
        self.address = f"10.254.0.{number + 1}"
        self.log = plane.folder / f"operator-{number}.log"
        self.process, self.pod = None, 0
        self.clock = Clock(plane.folder / f"clock-{number}")
        self.environment = SANITIZERS | {
            "POD_NAMESPACE": SYSTEM,
            "POD_NAME": f"skep-operator-{number}",
            "POD_IP": self.address,
        }
        self.environment |= self.clock.environment()
        self.kubeconfig = plane.folder / f"kubeconfig-{number}"
        plane.write_kubeconfig(self.kubeconfig, plane.token("skep-operator"), api_port)

    def start(self, as_new_pod=False):
        """Starts it, in the pod that it was in, as a kubelet does, or in another one."""
        self.pod += as_new_pod
        self.process = start(
            [
                self.program,
                f"--kubeconfig={self.kubeconfig}",
                f"--agent-listen=127.0.0.1:{self.agents_port}",
                f"--http-listen=127.0.0.1:{self.http_port}",
                f"--api-listen=127.0.0.1:{free_port()}",
                "--lease-duration=3s",
                "--lease-renew-deadline=2s",
                "--lease-retry=500ms",
            ],
            self.log,
            self.environment | {"POD_UID": f"uid-{self.number}-{self.pod}"},
        )

    def kill(self):
        """Ends it as kill -9 does. Complains where it had ended by itself."""
        self.check()
        self.process.kill()
        self.process.wait()
        self.process = None

    def end(self):
        """Asks it to end, and takes its exit code: a leak is one of the things it may tell of."""
        if not self.process:
            return
        self.process.terminate()
        code = self.process.wait(30)
        self.process = None
        if code != 0:
            raise AssertionError(f"operator {self.number} ended with {code}; see {self.log}")

    def check(self):
        if self.process and self.process.poll() is not None:
            raise AssertionError(
                f"operator {self.number} ended by itself, with {self.process.returncode};"
                f" see {self.log}"
            )

    def now(self):
        """What its clock says."""
        return time.time() + self.clock.ahead

    def metrics(self):
        url = f"http://127.0.0.1:{self.http_port}/metrics"
        values = {}
        with urllib.request.urlopen(url, timeout=30) as answer:
            for line in answer.read().decode().splitlines():
                if line and line[0] != "#":
                    name, _, value = line.rpartition(" ")
                    values[name] = float(value)
        return values

    def is_ready(self):
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http_port}/readyz", timeout=5
            ) as answer:
                return answer.status == 200
        except OSError:
            return False

    def resident(self):
        """KiB of memory."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


class Agents:
    """All agents, in one process; a node's agent dials the port that it is given."""

    def __init__(self, plane):
        self.plane = plane
        self.folder = plane.folder / "agents"
        self.folder.mkdir()
        self.nodes = {}
        self.process = None

    def start(self):
        self.write_ca()
        self.process = start(
            [ROOT / "build/chaos/agents", self.folder],
            self.plane.folder / "agents.log",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def write_ca(self):
        path = f"/api/v1/namespaces/{SYSTEM}/configmaps/skep-operator-ca"
        wanted = wait_for("the operator's CA is published", lambda: self._read(path))
        (self.folder / "ca.crt").write_text(wanted["data"]["ca.crt"])

    def _read(self, path):
        try:
            return self.plane.call("GET", path)
        except Exception:
            return None

    def _order(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def add(self, node, pod, port):
        """The agent of a node, that runs in this pod."""
        token = self.plane.token("skep-node-agent", "skep-operator", pod)
        (self.folder / f"token-{node}").write_text(token)
        self.nodes[node] = port
        self._order(f"add {node} {port}")

    def end(self, node):
        if self.nodes.pop(node, None):
            self._order(f"end {node}")

    def restart(self, node):
        """It begins anew, and knows nothing of what it was told."""
        self._order(f"end {node}")
        self._order(f"add {node} {self.nodes[node]}")

    def dump(self):
        self._order("dump")
        return json.loads(self.process.stdout.readline())

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(30)


def programs():
    """Where the operators are: as they are shipped, and with sanitizers."""
    return os.path.join(ROOT, "build/skep-operator"), os.path.join(
        ROOT, "build/sanitized/skep-operator"
    )
