# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""A scrape as a whole: an agent on the cluster reads the kernel, writes, and answers over HTTP."""

import http.client
import statistics
import time

from lib import cluster, daemons, pods, policies
from lib.shell import wait_until

NAMESPACE = "skep-bench"
LABELS = {"app": "bench"}
SERIES = 5000
PORTS = 60  # an edge and its two ends each: more than SERIES in all
SCRAPES = 30
PAUSE = 0.3  # so that each is written anew, rather than what was written for another

# A pod that talks with itself at many ports, and keeps all connections.
TALK = f"""
import socket, time
kept = []
for port in range(20000, 20000 + {PORTS}):
    listener = socket.create_server(("127.0.0.1", port))
    client = socket.create_connection(("127.0.0.1", port))
    server, _ = listener.accept()
    for _ in range(20):
        client.sendall(b"x" * 1000)
        server.recv(1000)
        server.sendall(b"y" * 100)
        client.recv(100)
    kept += [listener, client, server]
time.sleep(3600)
"""


def scrape(connection):
    """Milliseconds until the whole answer was there, and the answer."""
    time.sleep(PAUSE)
    begin = time.monotonic()
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return 1000 * (time.monotonic() - begin), text


def series(text):
    return sum(1 for line in text.splitlines() if not line.startswith("#"))


def cpu_ms(pid):
    with open(f"/proc/{pid}/schedstat", encoding="utf-8") as stat:
        return int(stat.read().split()[0]) / 1e6


def measure_agent(node):
    connection = http.client.HTTPConnection(pods.address(daemons.agent_pod(node)), 9810, timeout=10)
    wait_until(f"{SERIES} series", lambda: series(scrape(connection)[1]) >= SERIES, 30)
    pid = daemons.agent_process(node)
    begin = cpu_ms(pid)
    taken = [scrape(connection) for _ in range(SCRAPES)]
    cpu = (cpu_ms(pid) - begin) / SCRAPES
    times = [milliseconds for milliseconds, _ in taken]
    print(
        f"{f'a scrape of {series(taken[-1][1]):,} series over HTTP':<46} median {statistics.median(times):5.1f} ms  "
        f"worst {max(times):5.1f} ms  CPU of the agent {cpu:5.1f} ms  hold 20",
        flush=True,
    )


def measure():
    cluster.create_namespace(NAMESPACE)
    try:
        cluster.apply(policies.policy(NAMESPACE, "bench", LABELS, [policies.TCP]))
        policies.wait_ready(NAMESPACE, "bench")
        talk = pods.pod(NAMESPACE, "talk", LABELS, command=("/usr/bin/python3", "-c", TALK))
        shown = pods.start(talk)[0]
        measure_agent(shown["spec"]["nodeName"])
    finally:
        cluster.delete_namespace(NAMESPACE)
