# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""An hour of churn: the operator's memory and its requests, once in ten seconds."""

import csv
import time

SAMPLE_SECONDS = 10
PODS_PER_SECOND = 5
RESTART_SECONDS = 5  # an agent begins anew
NODE_SECONDS = 60  # a node is replaced
COLUMNS = ["seconds", "resident_kib", "requests", "pods_replaced", "policies_edited"]


class Pace:
    """Says how often something is due."""

    def __init__(self, seconds):
        self.seconds, self.next = seconds, time.monotonic() + seconds

    def is_due(self):
        if time.monotonic() < self.next:
            return False
        self.next += self.seconds
        return True


def requests_of(path):
    """How many requests the audit log has."""
    with open(path, "rb") as log:
        return sum(piece.count(b"\n") for piece in iter(lambda: log.read(1 << 20), b""))


def churn(world, agents, counts, minutes, take_sample):
    pods, policies = Pace(1 / PODS_PER_SECOND), Pace(1)
    restarts, nodes, samples = Pace(RESTART_SECONDS), Pace(NODE_SECONDS), Pace(SAMPLE_SECONDS)
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        if pods.is_due():
            world.replace_pod()
            counts["pods_replaced"] += 1
        if policies.is_due():
            world.random.choices([world.edit_policy, world.replace_policy], [8, 2])[0]()
            counts["policies_edited"] += 1
        if restarts.is_due():
            agents.restart(world.random.choice(sorted(agents.nodes)))
        if nodes.is_due():
            world.replace_node()
        if samples.is_due():
            take_sample()
        time.sleep(0.01)


def run(scene, minutes):
    """Writes the samples to hour.csv as they come."""
    operator, audit = scene.operators[0], scene.plane.folder / "audit.log"
    counts = {"pods_replaced": 0, "policies_edited": 0}
    begin = time.monotonic()
    with open(scene.plane.folder / "hour.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()

        def take_sample():
            operator.check()
            row = counts | {
                "seconds": round(time.monotonic() - begin),
                "resident_kib": operator.resident(),
                "requests": requests_of(audit),
            }
            writer.writerow(row)
            file.flush()

        take_sample()
        churn(scene.world, scene.agents, counts, minutes, take_sample)
        take_sample()
