# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Rounds: churn, a disturbance amid it, then quiet, in which all must become as it has to be."""

import random
import time

from audit import Audit
from disturbances import CALM, KINDS, UNHEARD
from judge import Wrong, await_truth

QUIET_SECONDS = 90


def settle(scene, audit, kind, strict):
    """Ends the churn, waits for the truth and, if strict, looks at what was written meanwhile."""
    changes = scene.churn.end()
    scene.world.learn()
    seconds = await_truth(scene, QUIET_SECONDS)
    wrong = audit.read(may_repeat=kind in UNHEARD, is_calm=kind in CALM)
    if wrong and strict:
        raise Wrong("\n  ".join(wrong[:8]))
    return changes, seconds


def run_round(scene, audit, kind, chance, strict):
    scene.start_churn()
    time.sleep(chance.uniform(0, 1))
    KINDS[kind](scene, chance)
    return settle(scene, audit, kind, strict)


def run(scene, plan, seed, strict):
    """
    Goes through a list of kinds; each round's chance has a seed of its own. Strict is to hold it
    against the operator when a status is written twice or falls without a cause, which on a machine
    that stands still for seconds may have been the machine.
    """
    audit = Audit(scene.plane.folder / "audit.log")
    await_truth(scene, 120)
    audit.read()
    for number, kind in enumerate(plan):
        before = audit.writes, audit.lists
        chance = random.Random(f"{seed} {number} {kind}")
        scene.world.random = chance
        changes, seconds = run_round(scene, audit, kind, chance, strict)
        print(
            f"{number + 1:4} {kind:8} {changes:4} changes, right after {seconds:5.1f} s,"
            f" {audit.writes - before[0]} statuses written, {audit.lists - before[1]} lists",
            flush=True,
        )
