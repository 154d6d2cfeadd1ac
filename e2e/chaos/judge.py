# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Compares what is with what must be, until both are the same or patience ends."""

import json
import time

from oracle import Facts, Oracle, held, identity, said

SHOWN = 8


def differences(scene, away=()):
    """What is wrong now, a line each. `away` are the nodes whose agents cannot reach the leader."""
    agents = scene.agents.dump()
    facts = Facts(scene.plane)
    oracle = Oracle(facts, set(agents) - set(away), scene.now())
    wrong = []
    for node, wanted in oracle.selection().items():
        agent = agents.get(node)
        if not agent or node in away:
            continue
        if not agent["connected"]:
            wrong.append(f"{node}: not connected, after {agent['losses']} losses")
        wrong += compare_pods(node, held(agent), wanted)
    for policy in facts.policies:
        wrong += compare(f"policy {identity(policy)}", said(policy), oracle.status(policy))
    return wrong


def compare_pods(node, has, wanted):
    wrong = [f"{node}: pod {has[uid]['name']} is left over" for uid in set(has) - set(wanted)]
    wrong += [f"{node}: pod {wanted[uid]['name']} is missing" for uid in set(wanted) - set(has)]
    for uid in set(has) & set(wanted):
        wrong += compare(f"{node}: pod {has[uid]['name']}", has[uid], wanted[uid])
    return wrong


def compare(what, has, wanted):
    return [
        f"{what}: {key}: {json.dumps(has[key])}, not {json.dumps(wanted[key])}"
        for key in wanted
        if json.dumps(has[key], sort_keys=True) != json.dumps(wanted[key], sort_keys=True)
    ]


class Wrong(AssertionError):
    """Something is not as it must be, and does not become so."""


def await_truth(scene, seconds=60, away=()):
    """Waits until all is as it must be; returns how long that took."""
    begin = time.monotonic()
    while True:
        scene.check()
        wrong = differences(scene, away)
        if not wrong:
            return time.monotonic() - begin
        if time.monotonic() > begin + seconds:
            raise Wrong(
                f"{len(wrong)} things are wrong after {seconds} s:\n  " + "\n  ".join(wrong[:SHOWN])
            )
        time.sleep(0.5)
