# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What watching costs a workload: pairs of runs, unwatched and watched in turn; median of ratios."""

import re
import statistics

from lib import cluster, pods, policies
from lib.shell import run

NAMESPACE = "skep-bench"
LABELS = {"app": "bench"}
PAIRS = 5
SECONDS = 5
EXECS = 1500

NGINX = """
daemon off; worker_processes 1; error_log /dev/null; pid /dev/shm/nginx.pid;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path /dev/shm/a; proxy_temp_path /dev/shm/b; fastcgi_temp_path /dev/shm/c;
  uwsgi_temp_path /dev/shm/d; scgi_temp_path /dev/shm/e;
  server {{ listen {port}; location / {{ return 200 "ok"; }} }} }}
"""
PORT = 8080


def start_nginx():
    script = f"cat > /dev/shm/nginx.conf <<'END'\n{NGINX.format(port=PORT)}\nEND\nexec /usr/sbin/nginx -c /dev/shm/nginx.conf"
    manifest = pods.pod(NAMESPACE, "nginx", LABELS, command=("/bin/sh", "-c", script))
    return pods.start(manifest)[0]


def requests_per_second(address, *headers):
    options = [word for header in headers for word in ("-H", header)]
    url = f"http://{address}:{PORT}/"
    out = run("wrk", "-t1", "-c16", f"-d{SECONDS}s", *options, url, timeout=60)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def execs_per_second():
    """Forks and execs in the pod, timed in the pod, so that kubectl's own time is left out."""
    loop = (
        f"s=$(date +%s%N); i=0; while [ $i -lt {EXECS} ]; do /bin/true; i=$((i+1)); done; "
        "e=$(date +%s%N); echo $((e-s))"
    )
    out = pods.execute(NAMESPACE, "nginx", "/bin/sh", "-c", loop)
    return EXECS * 1e9 / int(out)


def compare(what, hold, probe, rate):
    """Runs `rate` without and with the probe, in turn, and tells the median of the ratios."""
    ratios, unwatched = [], []
    for _ in range(PAIRS):
        plain = rate()
        cluster.apply(policies.policy(NAMESPACE, "bench", LABELS, [probe]))
        policies.wait_ready(NAMESPACE, "bench", "Attached")
        ratios.append(rate() / plain)
        unwatched.append(plain)
        policies.delete(NAMESPACE, "bench")
    print(
        f"{what:<46} {statistics.median(unwatched):>9,.0f}/s  "
        f"watched {100 * statistics.median(ratios):6.1f} %  "
        f"({100 * min(ratios):.1f} … {100 * max(ratios):.1f} %)  hold {hold} %",
        flush=True,
    )


def measure():
    cluster.create_namespace(NAMESPACE)
    try:
        address = pods.address(start_nginx())
        requests_per_second(address)  # warm up
        compare("nginx, keep-alive, TCP", 99, policies.TCP, lambda: requests_per_second(address))
        compare(
            "nginx, a connection per request, TCP",
            97,
            policies.TCP,
            lambda: requests_per_second(address, "Connection: close"),
        )
        compare("fork + exec of true, Exec", 98, policies.EXEC, execs_per_second)
    finally:
        cluster.delete_namespace(NAMESPACE)
