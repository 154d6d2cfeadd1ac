# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What watching costs a workload, told twice.

By the clock: pairs of short runs, unwatched and watched, in turn and in changing order; the median
of the ratios with its 95 % interval. By the kernel: the run time of our programs for each request
(less that of empty programs) against the CPU time that the workload's process takes for it, which
no noise of the machine touches.
"""

import dataclasses
import json
import math
import os
import re
import statistics
from typing import Callable

from lib import cluster, kernel, pods, policies
from lib.shell import run

NAMESPACE = "skep-bench"
LABELS = {"app": "bench"}
PAIRS = 24
SECONDS = 1
COUNTED_SECONDS = 5
EXECS = 1000

NGINX = """
daemon off; worker_processes 1; error_log /dev/null; pid /dev/shm/nginx.pid;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path /dev/shm/a; proxy_temp_path /dev/shm/b; fastcgi_temp_path /dev/shm/c;
  uwsgi_temp_path /dev/shm/d; scgi_temp_path /dev/shm/e;
  server {{ listen {port}; location / {{ return 200 "ok"; }} }} }}
"""
PORT = 8080


@dataclasses.dataclass
class Load:
    """Something to run; `run` takes seconds and returns (events, seconds that they took)."""

    title: str
    hold: float  # % of the unwatched rate
    probes: list
    run: Callable
    pod: dict
    process: str  # whose CPU time an event takes


def nginx_pod(name, labels, node=None):
    script = f"cat > /dev/shm/nginx.conf <<'END'\n{NGINX.format(port=PORT)}\nEND\nexec /usr/sbin/nginx -c /dev/shm/nginx.conf"
    return pods.pod(NAMESPACE, name, labels, node, command=("/bin/sh", "-c", script))


def start_nginx():
    return pods.start(nginx_pod("nginx", LABELS))[0]


def start_iperf():
    """A server, and the pod that sends to it; both are watched."""
    server = pods.pod(NAMESPACE, "sink", LABELS, command=("/usr/bin/iperf3", "-s"))
    return pods.start(server, pods.pod(NAMESPACE, "source", LABELS))


def requests(address, seconds, *headers):
    options = [word for header in headers for word in ("-H", header)]
    url = f"http://{address}:{PORT}/"
    out = run("wrk", "-t1", "-c16", f"-d{seconds}s", *options, url, timeout=60)
    done = re.search(r"(\d+) requests in ([\d.]+)s", out)
    return int(done.group(1)), float(done.group(2))


def megabytes(address, seconds):
    out = pods.execute(NAMESPACE, "source", "/usr/bin/iperf3", "-c", address, "-J", f"-t{seconds}")
    done = json.loads(out)["end"]["sum_received"]
    return done["bytes"] / 1e6, done["seconds"]


def execs(_seconds):
    """Forks and execs in the pod, timed in the pod, so that kubectl's own time is left out."""
    loop = (
        f"s=$(date +%s%N); i=0; while [ $i -lt {EXECS} ]; do /bin/true; i=$((i+1)); done; "
        "e=$(date +%s%N); echo $((e-s))"
    )
    return EXECS, int(pods.execute(NAMESPACE, "nginx", "/bin/sh", "-c", loop)) / 1e9


# --- by the clock ---


def watch(load):
    cluster.apply(policies.policy(NAMESPACE, "bench", LABELS, load.probes))
    policies.wait_ready(NAMESPACE, "bench", "Attached")


def rate(load, watched):
    """Events a second."""
    if watched:
        watch(load)
    events, seconds = load.run(SECONDS)
    if watched:
        policies.delete(NAMESPACE, "bench")
    return events / seconds


def interval_of_median(values):
    """Order statistics between which the median lies in 95 of 100 cases (binomial, normal approximation)."""
    values, n = sorted(values), len(values)
    reach = 1.96 * math.sqrt(n) / 2
    return values[max(0, math.floor(n / 2 - reach))], values[min(n - 1, math.ceil(n / 2 + reach) - 1)]


def percent(ratios):
    low, high = interval_of_median(ratios)
    return f"{100 * statistics.median(ratios):6.1f} % ({100 * low:.1f} … {100 * high:.1f} %)"


def compare(load):
    pairs = []
    for number in range(PAIRS):
        order = (False, True) if number % 2 else (True, False)
        told = {watched: rate(load, watched) for watched in order}
        pairs.append((told[False], told[True]))
    plain = statistics.median(without for without, _ in pairs)
    ratios = [now / then for then, now in pairs]
    print(
        f"{load.title:<40} {plain:>9,.0f}/s  by the clock {percent(ratios)}  hold {load.hold} %",
        flush=True,
    )


# --- by the kernel ---


def empty_costs():
    """What an empty program is counted with, by the name of the program at the same hook."""
    run("make", "-s", "-C", cluster.REPOSITORY, "benches", timeout=600)
    rows = json.loads(run(cluster.REPOSITORY / "build/bench/kernel/events", "--json"))
    return {row["programs"]: row["emptyNs"] for row in rows}


def own_time(empty):
    """Run time of our programs on the bench's pods so far, in ns, less that of empty ones."""
    total = 0
    for shown in cluster.get("pods", namespace=NAMESPACE, selector="app=bench"):
        for _, _, number in kernel.attached(shown):
            program = kernel.programs()[number]
            runs = program.get("run_cnt", 0)
            total += program.get("run_time_ns", 0) - runs * empty.get(program["name"], 0)
        break  # programs are shared by all pods
    return total


def cpu_seconds(load):
    """What the workload's process, and its children that have ended, have taken."""
    total = 0
    for pid in pods.processes(load.pod, load.process):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def count(load, empty):
    before = cpu_seconds(load)
    events = load.run(COUNTED_SECONDS)[0]
    cpu = (cpu_seconds(load) - before) / events
    watch(load)
    run("sysctl", "-q", "kernel.bpf_stats_enabled=1")
    try:
        begin = own_time(empty)
        events = load.run(COUNTED_SECONDS)[0]
        ours = (own_time(empty) - begin) / events
    finally:
        run("sysctl", "-q", "kernel.bpf_stats_enabled=0")
        policies.delete(NAMESPACE, "bench")
    print(
        f"{load.title:<40} {1e6 * cpu:>9,.2f} us of CPU each  by the kernel "
        f"{100 - 100 * ours / 1e9 / cpu:6.1f} % ({ours:,.0f} ns of ours)  hold {load.hold} %",
        flush=True,
    )


def network_loads(nginx, sink):
    web, bulk = pods.address(nginx), pods.address(sink)

    def fresh(seconds):
        return requests(web, seconds, "Connection: close")

    return [
        Load("nginx, a connection per request, TCP", 97, [policies.TCP], fresh, nginx, "nginx"),
        Load("bulk transfer, MB, TCP", 99, [policies.TCP], lambda s: megabytes(bulk, s), sink, "iperf3"),
    ]


def measure_network():
    cluster.create_namespace(NAMESPACE)
    try:
        nginx = start_nginx()
        sink, _ = start_iperf()
        empty = empty_costs()
        for load in network_loads(nginx, sink):
            load.run(SECONDS)  # warm up
            count(load, empty)
            compare(load)
    finally:
        cluster.delete_namespace(NAMESPACE)


def measure_exec():
    cluster.create_namespace(NAMESPACE)
    try:
        compare(Load("fork + exec of true, Exec", 98, [policies.EXEC], execs, start_nginx(), "sh"))
    finally:
        cluster.delete_namespace(NAMESPACE)
