# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What is done to Skep while the cluster is in motion. Each is a function of scene and chance."""

import time

from judge import await_truth

HOUR = 3600
# The operator takes an agent for lost after 25 s of silence, and waits 10 s more.
SILENCE_SECONDS = 40


def kill_operator(scene, chance):
    """kill -9: of the leader mostly, of the other one, or of both; each comes again, or another."""
    time.sleep(chance.uniform(0, 3))
    leader = scene.leader() or scene.operators[0]
    others = [operator for operator in scene.operators if operator is not leader]
    victims = chance.choices([[leader], others, scene.operators], [7, 1, 2])[0]
    for victim in victims:
        victim.kill()
    time.sleep(chance.choice([0, chance.uniform(0, 5)]))
    for victim in victims:
        victim.start(as_new_pod=chance.random() < 0.5)
    time.sleep(chance.uniform(0, 3))


def restart_api_server(scene, chance):
    """kill -9 of the API server, which comes again soon, or after the Lease has run out."""
    time.sleep(chance.uniform(0, 2))
    scene.plane.kill_server()
    time.sleep(chance.choice([0, chance.uniform(0, 6)]))
    scene.plane.start_server()
    time.sleep(chance.uniform(0, 2))


def compact(scene, chance):
    """
    The operators' connections to the API server are cut; when they come again, what their watches
    would go on from is forgotten. The API server has a memory of its own, so it is started anew.
    """
    cut = chance.choice([scene.to_api, [chance.choice(scene.to_api)]])
    for relay in cut:
        relay.set("closed")
    time.sleep(chance.uniform(1, 4))
    scene.plane.kill_server()
    scene.plane.compact()
    scene.plane.start_server()
    time.sleep(chance.uniform(0, 1))
    for relay in cut:
        relay.set("open")
    time.sleep(chance.uniform(0, 2))


def cut_agents_off(scene, chance):
    """
    Nothing moves between the operators and half of the agents, and nobody is told. Policies with
    pods there must say so, and must not when the network is back.
    """
    half = chance.randrange(2)
    relay = scene.to_operator[half]
    relay.set("still")
    time.sleep(chance.uniform(1, 4))
    churn_went_on = scene.churn.end()
    away = [node for node in scene.agents.nodes if scene.half_of(node) == half]
    await_truth(scene, SILENCE_SECONDS + 50, away)
    scene.start_churn()
    time.sleep(chance.uniform(0, 2))
    relay.set("open")
    return churn_went_on


def stall_briefly(scene, chance):
    """The same, too short for anybody to notice: nothing may come of it."""
    relay = chance.choice(scene.to_operator)
    relay.set("still")
    time.sleep(chance.uniform(0.5, 6))
    relay.set("open")


def flap(scene, chance):
    """Connections of agents end again and again, whatever they are about."""
    for _ in range(chance.randint(5, 40)):
        relay = chance.choice(scene.to_operator)
        relay.set("closed")
        time.sleep(chance.choice([0, chance.uniform(0, 0.3)]))
        relay.set("open")
        time.sleep(chance.uniform(0, 0.3))


def jump_clock(scene, chance):
    """The clock of an operator jumps by up to an hour either way, and comes right again."""
    operator = chance.choice([scene.leader() or scene.operators[0], *scene.operators])
    operator.clock.jump(chance.choice([HOUR, -HOUR, chance.randint(-HOUR, HOUR)]))
    time.sleep(chance.uniform(1, 3))
    scene.churn.end()
    await_truth(scene, 90)
    scene.start_churn()
    operator.clock.jump(0)
    time.sleep(chance.uniform(1, 3))


KINDS = {
    "kill": kill_operator,
    "restart": restart_api_server,
    "compact": compact,
    "cut": cut_agents_off,
    "stall": stall_briefly,
    "flap": flap,
    "clock": jump_clock,
}
# After these, nobody can know whether a write was heard, so it may come again.
UNHEARD = {"restart", "compact"}
# During these no agent is away, and the only cause of a change is in the churn.
CALM = {"kill", "clock", "stall"}
