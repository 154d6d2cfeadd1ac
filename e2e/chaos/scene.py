# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""All of it together: control plane, operators, relays, agents, and the world that they serve."""

import contextlib
import random

from churn import Churn
from fleet import Agents, Operator
from plane import SYSTEM, Plane
from processes import wait_for
from relay import Relay
from world import World

CHANGES_PER_SECOND = 20
SLICE = f"/apis/discovery.k8s.io/v1beta1/namespaces/{SYSTEM}/endpointslices/skep-operator-leader"


class Scene:
    def __init__(self, folder, seed, program, operators=2, **sizes):
        self.plane = Plane(folder)
        self.operators, self.to_api, self.to_operator = [], [], []
        self.program, self.count = program, operators
        self.agents = Agents(self.plane)
        self.world = World(self.plane, random.Random(seed), **sizes)
        self.leader_port = None

    def start(self):
        self.plane.start()
        for number in range(self.count):
            relay = Relay(lambda: self.plane.port)
            operator = Operator(self.plane, number, relay.port, self.program)
            self.to_api.append(relay)
            self.operators.append(operator)
            operator.start()
        self.to_operator = [Relay(self.find_leader), Relay(self.find_leader)]
        self.agents.start()
        self.world.node_comes, self.world.node_goes = self._node_comes, self._node_goes
        self.world.node_is_served = lambda node: node in self.agents.nodes
        self.world.make()

    def find_leader(self):
        """The port of the leader as its EndpointSlice tells, or as it told last."""
        with contextlib.suppress(Exception):
            where = self.plane.call("GET", SLICE)
            self.leader_port = next(p["port"] for p in where["ports"] if p["name"] == "agents")
        return self.leader_port

    def _node_comes(self, node, pod):
        self.agents.add(node, pod, self.to_operator[self.half_of(node)].port)

    def _node_goes(self, node):
        self.agents.end(node)

    def leader(self):
        """The operator that leads, by its own word; None while there is none."""
        for operator in self.operators:
            if operator.process and operator.agents_port == self.find_leader():
                return operator
        return None

    def wait_ready(self):
        for operator in self.operators:
            wait_for("the operators are ready", operator.is_ready, 120)

    @staticmethod
    def half_of(node):
        """Which of the two relays its agent dials through."""
        return int(node.rpartition("-")[2]) % 2

    def start_churn(self):
        self.churn = Churn(self.world, CHANGES_PER_SECOND)
        self.churn.start()

    def now(self):
        """What the clock of the operator that leads says."""
        return (self.leader() or self.operators[0]).now()

    def check(self):
        """Nothing may have ended by itself."""
        for operator in self.operators:
            operator.check()
        if self.agents.process.poll() is not None:
            raise AssertionError("the agents have ended by themselves; see agents.log")

    def stop(self):
        try:
            for operator in self.operators:
                operator.end()
            self.agents.stop()
        finally:
            self.plane.stop()
