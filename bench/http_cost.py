# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What watching costs an HTTP server, to a few parts in a thousand, on a machine whose speed changes
by a tenth from one moment to the next.

Two pods with nginx; a client (bench/ask.c) asks one for some milliseconds, then the other, all the
time, so that both meet the same machine. One of the two is watched; every fraction of a second a
policy moves from one to the other, in an order drawn by lot. From two neighbouring windows, in which either
was watched, comes one ratio: what the two servers differ in by themselves cancels out. Told are
the median of all ratios and its 95 % interval by bootstrap.

A null test does the same with a policy that moves between two pods that do nothing: its interval
must hold 100 %, and its width is what the run resolves.
"""

import dataclasses
import json
import math
import pathlib
import random
import statistics
import subprocess
import sys
import time

from lib import cluster, daemons, kernel, pods, policies
from lib.shell import run, wait_until

NAMESPACE = "skep-bench"
NODE = "node-a"
PORT = 8080
PATH = "/shop/1234/part150/5678"
SLICE_MS = 10
WINDOW = 0.2  # seconds
SETTLE = 0.05  # seconds after the kernel shows that the policy has moved
PAIRS, QUICK_PAIRS = 150, 20
RESAMPLES = 4000
COUNTED_SECONDS = 2
ACCOUNTING = pathlib.Path("/sys/fs/cgroup/cpuacct")

NGINX = f"""
daemon off; worker_processes 1; error_log /dev/null; pid /dev/shm/nginx.pid;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path /dev/shm/a; proxy_temp_path /dev/shm/b; fastcgi_temp_path /dev/shm/c;
  uwsgi_temp_path /dev/shm/d; scgi_temp_path /dev/shm/e;
  server {{ listen {PORT}; location / {{ return 200 "ok"; }} }} }}
"""
SERVERS = ("first", "second")
IDLE = ("idle-first", "idle-second")

ROUTES = [f"/shop/{{customer}}/part{number}/{{item}}" for number in range(200)]


@dataclasses.dataclass
class Setting:
    """What is asked for, and which of the server's requests have it: those of none in a null test."""

    title: str
    probes: list
    connections: int = 16
    cpus: tuple = (0, 0)  # of the servers, of the client
    null: bool = False


def http(settings):
    return [policies.TCP, {"type": "HTTP", "http": settings}]


METRICS = http({})
SETTINGS = [
    Setting("null test", METRICS, null=True),
    Setting("TCP alone", [policies.TCP]),
    Setting("TCP + HTTP, metrics", METRICS),
    Setting("TCP + HTTP, automatic routes", http({"byRoute": True})),
    Setting("TCP + HTTP, 200 routes", http({"routes": ROUTES})),
    Setting("TCP + HTTP, 1 % sampled", http({"sampleOneIn": 100})),
    Setting("TCP + HTTP, all sampled", http({"sampleOneIn": 1})),
    Setting("metrics, CPUs of their own", METRICS, cpus=(0, 1)),
    Setting("null test, one connection", METRICS, connections=1, null=True),
    Setting("metrics, one connection", METRICS, connections=1),
]


# --- the figures ---


def median_with_interval(ratios):
    """The median of the ratios, and between what it lies in 95 of 100 cases (bootstrap)."""
    chance = random.Random(1)
    logs = [math.log(ratio) for ratio in ratios]
    medians = sorted(statistics.median(chance.choices(logs, k=len(logs))) for _ in range(RESAMPLES))
    low, high = medians[round(0.025 * RESAMPLES)], medians[round(0.975 * RESAMPLES) - 1]
    return [math.exp(value) for value in (statistics.median(logs), low, high)]


def percent(ratios):
    middle, low, high = (100 * value for value in median_with_interval(ratios))
    return f"{middle:6.1f} % ({low:.1f} … {high:.1f})"


def watched_ratio(with_first, with_second, figure):
    """Watched against unwatched, from a window in which the first server was watched and one in which the second was."""
    first, second = (figure(window[0]) / figure(window[1]) for window in (with_first, with_second))
    return math.sqrt(first / second)


FIGURES = {
    "requests": lambda did: did["requests"] / did["seconds"],
    "CPU of nginx": lambda did: did["nginx"] / did["requests"],
    "CPU of both ends": lambda did: (did["nginx"] + did["cpu"]) / did["requests"],
    "p50": lambda did: did["p50"],
    "p99": lambda did: did["p99"],
}


# --- the scene ---


def nginx_pod(name):
    script = f"cat > /dev/shm/nginx.conf <<'END'\n{NGINX}\nEND\nexec /usr/sbin/nginx -c /dev/shm/nginx.conf"
    return pods.pod(NAMESPACE, name, {"app": name}, NODE, command=("/bin/sh", "-c", script))


def idle_pod(name):
    return pods.pod(NAMESPACE, name, {"app": name}, NODE)


class Watch:
    """A policy that is on one of two pods, and moves."""

    path = f"/apis/skep.dev/v1alpha1/namespaces/{NAMESPACE}/observabilitypolicies"

    def __init__(self, shown, probes):
        self.names = [pod["metadata"]["name"] for pod in shown]
        self.cgroups = [pods.cgroup(pod) for pod in shown]
        self.probes = probes
        self.api = cluster.ApiConnection()

    def __enter__(self):
        """A second policy, on a pod of its own, keeps the programs loaded while the first one moves."""
        keeper = policies.policy(NAMESPACE, "keeper", {"app": "keeper"}, self.probes)
        first = policies.policy(NAMESPACE, "bench", {"app": self.names[0]}, self.probes)
        cluster.apply(keeper, first)
        for name in ("keeper", "bench"):
            policies.wait_ready(NAMESPACE, name, "Attached")
        self.at, self.programs = 0, self.attached()[0]
        return self

    def __exit__(self, *_):
        cluster.kubectl("delete", "observabilitypolicies", "--all", "-n", NAMESPACE)
        wait_until("nothing is attached", lambda: self.attached() == [0, 0])

    def attached(self):
        return [len(kernel.on_cgroup(cgroup)) for cgroup in self.cgroups]

    def move(self, at):
        """Returns once the kernel shows the programs there, and no more where they were."""
        if at == self.at:
            return
        spec = {"selector": {"matchLabels": {"app": self.names[at]}}}
        self.api.patch(f"{self.path}/bench", {"spec": spec})
        due = [self.programs, 0] if at == 0 else [0, self.programs]
        wait_until("the policy has moved", lambda: self.attached() == due, interval=0.01)
        self.at = at
        time.sleep(SETTLE)


class Load:
    """The client, and windows of what both servers do."""

    def __init__(self, setting, shown):
        self.usage = [
            ACCOUNTING / pods.cgroup(pod).relative_to(pods.hierarchy()) / "cpuacct.usage" for pod in shown
        ]
        for pid in (pid for pod in shown for pid in pods.processes(pod, "nginx")):
            run("taskset", "-p", "-c", setting.cpus[0], pid)
        addresses = [pods.address(pod) for pod in shown]
        words = [*addresses, PORT, PATH, setting.connections, SLICE_MS]
        program = cluster.REPOSITORY / "build/bench/ask"
        self.client = subprocess.Popen(
            ["taskset", "-c", str(setting.cpus[1]), program, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        self.window(1)  # warm up
        return self

    def __exit__(self, *_):
        self.client.stdin.close()
        self.client.wait()

    def mark(self):
        """What each server did since the last call; `nginx` is the CPU time of its pod so far."""
        self.client.stdin.write("\n")
        self.client.stdin.flush()
        did = json.loads(self.client.stdout.readline())
        for server, usage in zip(did, self.usage):
            server["nginx"] = int(usage.read_text()) / 1e9
        return did

    def window(self, seconds=WINDOW):
        before = self.mark()
        time.sleep(seconds)
        after = self.mark()
        for server, then in zip(after, before):
            server["nginx"] -= then["nginx"]
        return after


# --- the measurement ---


def pair(load, watch, chance):
    windows = {}
    first = chance.randrange(2)
    for at in (first, 1 - first):
        watch.move(at)
        windows[at] = load.window()
    return windows[0], windows[1]


def alternate(load, watch, pairs):
    """`pairs` pairs of windows: with the first server watched, with the second."""
    chance = random.Random()
    return [pair(load, watch, chance) for _ in range(pairs)]


def plain(windows, figure):
    """The median of a figure where nobody watched."""
    return statistics.median(figure(did) for first, second in windows for did in (first[1], second[0]))


def tell(setting, windows, seconds):
    rate, each = (plain(windows, FIGURES[name]) for name in ("requests", "CPU of nginx"))
    print(
        f"{setting.title:<30} {len(windows)} pairs in {seconds:.0f} s; unwatched {rate:,.0f}/s, "
        f"{1e6 * each:.2f} us of nginx each, p99 {1e6 * plain(windows, FIGURES['p99']):.0f} us"
    )
    for name, figure in FIGURES.items():
        ratios = [watched_ratio(first, second, figure) for first, second in windows]
        print(f"    {name:<26} {percent(ratios)}", flush=True)


def measure_setting(setting, servers, idle, pairs):
    begin = time.monotonic()
    with Watch(idle if setting.null else servers, setting.probes) as watch:
        with Load(setting, servers) as load:
            windows = alternate(load, watch, pairs)
    tell(setting, windows, time.monotonic() - begin)


def measure(pairs=PAIRS):
    run("make", "-s", "-C", cluster.REPOSITORY, "build/bench/ask", timeout=600)
    cluster.create_namespace(NAMESPACE)
    try:
        manifests = [nginx_pod(name) for name in SERVERS]
        manifests += [idle_pod(name) for name in (*IDLE, "keeper")]
        shown = pods.start(*manifests)
        for setting in SETTINGS:
            measure_setting(setting, shown[:2], shown[2:4], pairs)
    finally:
        cluster.delete_namespace(NAMESPACE)
