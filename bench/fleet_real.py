#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""The fleet in a real API server: bench/fleet_real.py [WORD]...

Starts etcd and kube-apiserver on loopback. bench/fleet fills them with nodes, pods, Services
and policies, and plays the agents, with tokens that the API server has issued. Words go on to
it, as --nodes=200 --pods=5000 --policies=40.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "e2e/chaos"))
sys.dont_write_bytecode = True

from plane import Plane  # noqa: E402 (the path must be set first)

USUAL = ["--nodes=5000", "--pods=60000", "--policies=1000"]


def resident(process):
    """MiB of memory, now and at most."""
    with open(f"/proc/{process.pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return [int(fields[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM")]


def tell_load(when):
    print(f"{'load of the machine, ' + when:58} %.1f, %.1f, %.1f" % os.getloadavg(), flush=True)


def measure(words=USUAL):
    subprocess.run(["make", "-s", "all", "benches"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory(prefix="skep-fleet-real-") as name:
        plane = Plane(name)
        os.environ.setdefault("GOGC", "200")  # memory for time: most of it goes into filling
        try:
            (plane.folder / "audit.log").touch()  # where the API server adds to it
            tell_load("before")
            plane.start()
            plane.write_kubeconfig(plane.folder / "admin.kubeconfig", "admin-token")
            operator = plane.token("skep-operator")
            plane.write_kubeconfig(plane.folder / "operator.kubeconfig", operator)
            fleet = [ROOT / "build/bench/fleet/fleet", f"--server={name}", *words]
            subprocess.run(fleet, cwd=ROOT, check=True)
            print()
            for server, what in (plane.server, "API server"), (plane.etcd, "etcd"):
                print(f"{'memory of the ' + what:58} %d MiB, at most %d MiB" % (*resident(server),))
            tell_load("after")
        finally:
            plane.stop()


if __name__ == "__main__":
    measure(sys.argv[1:] or USUAL)
