# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What watching costs an HTTP server, to a few parts in a thousand, on a machine whose speed
changes by a tenth from one moment to the next.

Two pods with nginx; a client (bench/ask.c) asks one for some milliseconds, then the other, all the
time, so that both meet the same machine. One of the two is watched; every fraction of a second a
policy moves from one to the other, in an order drawn by lot. From two neighbouring windows, in
which either was watched, comes one ratio: what the two servers differ in by themselves cancels out.
Told are the median of all ratios and its 95 % interval by bootstrap.

Three programs that do nothing, at the same hooks, tell what the kernel takes to reach any.
A null test does the same with a policy that moves between two pods that do nothing: its interval
must hold 100 %, and its width is what the run resolves.
"""

import ctypes
import dataclasses
import json
import math
import os
import pathlib
import random
import statistics
import struct
import subprocess
import time

from lib import cluster, daemons, kernel, pods, policies
from lib.shell import run, wait_until
from throughput import NAMESPACE, PORT, empty_costs, nginx_pod

NODE = "node-a"
PATH = "/shop/1234/part150/5678"
SLICE_MS = 5
WINDOW = 0.1  # seconds
SETTLE = 0.1  # seconds after the kernel shows that the policy has moved
PAIRS, QUICK_PAIRS = 150, 20
RESAMPLES = 4000
COUNTED_SECONDS = 2
ACCOUNTING = pathlib.Path("/sys/fs/cgroup/cpuacct")

SERVERS = ("first", "second")
IDLE = ("idle-first", "idle-second")

ROUTES = [f"/shop/{{customer}}/part{number}/{{item}}" for number in range(200)]


@dataclasses.dataclass
class Setting:
    """What is asked for, and of which load; in a null test it is asked for idle pods.

    Without probes, empty programs take their place.
    """

    title: str
    probes: list = None
    connections: int = 16
    cpus: tuple = (0, 0)  # of the servers, of the client
    null: bool = False


def http(settings):
    return [policies.TCP, {"type": "HTTP", "http": settings}]


METRICS = http({})
SETTINGS = [
    Setting("null test", METRICS, null=True),
    Setting("three programs that do nothing"),
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
    return f"{middle:.1f} % ({low:.1f} … {high:.1f})"


def watched_ratio(with_first, with_second, figure):
    """Watched against unwatched, from two windows: with either server watched."""
    first, second = (figure(did[0]) / figure(did[1]) for did in (with_first, with_second))
    return math.sqrt(first / second)


FIGURES = {
    "requests": lambda did: did["requests"] / did["seconds"],
    "CPU of nginx": lambda did: did["nginx"] / did["requests"],
    "CPU of both ends": lambda did: (did["nginx"] + did["cpu"]) / did["requests"],
    "p50": lambda did: did["p50"],
    "p99": lambda did: did["p99"],
}
HEAD = ["what is asked for", "unwatched", *FIGURES, "our programs"]


# --- the scene ---


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
        """A second policy, on another pod, keeps the programs loaded while the first one moves."""
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


class EmptyPrograms:
    """In place of a policy: as many programs as TCP and HTTP have for packets, which do nothing."""

    hooks = (0, 1, 1)  # BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS (linux/bpf.h)
    type = 8  # BPF_PROG_TYPE_CGROUP_SKB
    allow_multi = 2  # BPF_F_ALLOW_MULTI
    instructions = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 1, 0x95, 0, 0, 0)  # return 1

    def __init__(self, shown):
        self.libbpf = ctypes.CDLL("libbpf.so.1")
        self.cgroups = [pods.cgroup(pod) for pod in shown]
        self.at = None

    def __enter__(self):
        words = (self.type, b"empty", b"GPL", self.instructions, ctypes.c_size_t(2), None)
        self.programs = [self.libbpf.bpf_prog_load(*words) for _ in self.hooks]
        assert min(self.programs) >= 0, "an empty program could not be loaded"
        self.folders = [os.open(cgroup, os.O_RDONLY) for cgroup in self.cgroups]
        self.move(0)
        return self

    def __exit__(self, *_):
        self.detach()
        for descriptor in (*self.programs, *self.folders):
            os.close(descriptor)

    def detach(self):
        for program, hook in zip(self.programs, self.hooks):
            self.libbpf.bpf_prog_detach2(program, self.folders[self.at], hook)

    def move(self, at):
        if at == self.at:
            return
        if self.at is not None:
            self.detach()
        for program, hook in zip(self.programs, self.hooks):
            error = self.libbpf.bpf_prog_attach(program, self.folders[at], hook, self.allow_multi)
            assert error == 0, "an empty program could not be attached"
        self.at = at
        time.sleep(SETTLE)


class Load:
    """The client, and windows of what both servers do."""

    def __init__(self, setting, shown):
        cgroups = [pods.cgroup(pod).relative_to(pods.hierarchy()) for pod in shown]
        self.usage = [ACCOUNTING / cgroup / "cpuacct.usage" for cgroup in cgroups]
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


# --- by the kernel ---


def runs(shown):
    """Runs and run time in ns of the programs on a pod so far, by name."""
    listed = kernel.programs()
    found = [listed[number] for _, _, number in kernel.attached(shown)]
    return {one["name"]: (one.get("run_cnt", 0), one.get("run_time_ns", 0)) for one in found}


def exchanges(agent):
    """Requests that an agent has counted so far on servers of the bench."""
    metrics = daemons.samples(daemons.http_get(agent, 9810, "/metrics"))
    name = "http_server_request_duration_seconds_count"
    return daemons.value(metrics, name, k8s_namespace_name=NAMESPACE) or 0


def reading(load, shown, agent):
    """Programs' runs, counted requests and asked requests, each with when it was read."""
    reads = (lambda: runs(shown), lambda: exchanges(agent), lambda: load.mark()[0]["requests"])
    return zip(*((read(), time.monotonic()) for read in reads))


def count(load, watch, shown):
    """What the kernel counts of our programs, in a window of its own since that costs time.

    Runs and ns of each program in a request, and the share of the requests that Skep has counted.
    """
    agent = daemons.agent_pod(NODE)
    watch.move(1)
    watch.move(0)
    run("sysctl", "-q", "kernel.bpf_stats_enabled=1")
    try:
        begin_values, begin_times = reading(load, shown, agent)
        time.sleep(COUNTED_SECONDS)
        end_values, end_times = reading(load, shown, agent)
    finally:
        run("sysctl", "-q", "kernel.bpf_stats_enabled=0")
    (runs_then, counted_then, _), (runs_now, counted_now, asked) = begin_values, end_values
    seconds = [now - then for now, then in zip(end_times, begin_times)]
    rate = asked / seconds[2]
    grown = {
        name: [(end - begin) / seconds[0] / rate for end, begin in zip(now, runs_then[name])]
        for name, now in runs_now.items()
    }
    return grown, (counted_now - counted_then) / seconds[1] / rate


def tell_count(grown, counted, empty):
    """Prints it, and returns what our programs take in a request."""
    total = 0
    for name, (times, ns) in sorted(grown.items()):
        own = max(0, ns - times * empty.get(name, 0))
        total += own
        if ns:
            print(f"    {name:<26} {times:5.2f} runs of {own / times:4.0f} ns each")
    print(f"    {'our programs in a request':<26} {total:5.0f} ns by the kernel")
    if "http_sent" in grown:
        print(f"    {'requests that were counted':<26} {100 * counted:5.1f} %")
    return f"{total:.0f} ns"


# --- the measurement ---


def orders(pairs, chance):
    """Where the policy is first, for each pair: ABBA or BAAB, by lot; even drift cancels out."""
    drawn = [chance.randrange(2) for _ in range(0, pairs, 2)]
    return [order for first in drawn for order in (first, 1 - first)][:pairs]


def pair(load, watch, first):
    windows = {}
    for at in (first, 1 - first):
        watch.move(at)
        windows[at] = load.window()
    return windows[0], windows[1]


def alternate(load, watch, pairs):
    """Pairs of windows: with the first server watched, with the second."""
    return [pair(load, watch, first) for first in orders(pairs, random.Random())]


def plain(windows, figure):
    """The median of a figure where nobody watched."""
    unwatched = [did for first, second in windows for did in (first[1], second[0])]
    return statistics.median(map(figure, unwatched))


def tell(setting, windows):
    """Prints the ratios, and returns them as a row of the table in docs/benchmarks.md."""
    rate = plain(windows, FIGURES["requests"])
    cpu, slow = (1e6 * plain(windows, FIGURES[name]) for name in ("CPU of both ends", "p99"))
    unwatched = f"{rate:,.0f}/s, {cpu:.1f} µs, p99 {slow:.0f} µs"
    print(f"{setting.title}: {len(windows)} pairs; unwatched {unwatched}")
    row = [setting.title, unwatched]
    for name, figure in FIGURES.items():
        row.append(percent([watched_ratio(*both, figure) for both in windows]))
        print(f"    {name:<26} {row[-1]}", flush=True)
    return row


def measure_setting(setting, servers, idle, pairs, empty):
    watched = idle if setting.null else servers
    watch = Watch(watched, setting.probes) if setting.probes else EmptyPrograms(watched)
    with watch, Load(setting, servers) as load:
        row = tell(setting, alternate(load, watch, pairs))
        if empty and setting.probes and not setting.null:
            row.append(tell_count(*count(load, watch, servers[0]), empty))
    return row


def measure():
    """All settings, and how long our programs run, by the kernel."""
    compare(SETTINGS, PAIRS, empty_costs())


def measure_quickly():
    """Fewer pairs, and without the kernel's own count."""
    run("make", "-s", "-C", cluster.REPOSITORY, "build/bench/ask", timeout=600)
    compare(SETTINGS, QUICK_PAIRS, None)


def table(rows):
    """As docs/benchmarks.md has it."""
    rows = [HEAD, ["---"] * len(HEAD), *(row + [""] * (len(HEAD) - len(row)) for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def compare(settings, pairs, empty):
    cluster.create_namespace(NAMESPACE)
    try:
        manifests = [nginx_pod(name, {"app": name}, NODE) for name in SERVERS]
        manifests += [idle_pod(name) for name in (*IDLE, "keeper")]
        shown = pods.start(*manifests)
        rows = [measure_setting(one, shown[:2], shown[2:4], pairs, empty) for one in settings]
    finally:
        cluster.delete_namespace(NAMESPACE)
    print("\n" + table(rows))
