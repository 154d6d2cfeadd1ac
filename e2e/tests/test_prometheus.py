# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""A real Prometheus: what it scrapes from Skep, and what our rules make of it."""

from lib import cluster, daemons, pods, policies, prometheus
from lib.case import ClusterTest
from lib.shell import wait_until


class Scraped(ClusterTest):
    def setUp(self):
        super().setUp()
        self.prometheus = prometheus.Prometheus(self)

    def test_targets(self):
        """the scrape example finds operator and agents, under their nodes' names"""
        wanted = {("skep-node-agent", node) for node in cluster.NODES}
        wanted.add(("skep-operator", "skep-operator"))
        wait_until("all targets are up", lambda: self.up() == wanted)
        for target in self.prometheus.targets():
            self.assertEqual(set(target["labels"]), {"job", "instance"})

    def up(self):
        return {(labels["job"], labels["instance"]) for labels, _ in self.prometheus.query("up == 1")}

    def test_operator(self):
        """the operator's figures"""
        nodes = wait_until("its nodes", lambda: self.prometheus.query("skep_operator_nodes"))
        self.assertEqual([value for _, value in nodes], [len(cluster.NODES)])

    def test_rules(self):
        """the rules load, and each is evaluated without an error"""
        wait_until("each rule has been evaluated", self.all_evaluated, 30)
        rules = self.prometheus.rules()
        self.assertEqual([rule["lastError"] for rule in rules if rule.get("lastError")], [])
        self.assertEqual({rule["health"] for rule in rules}, {"ok"})

    def all_evaluated(self):
        rules = self.prometheus.rules()
        return rules and all(rule["health"] != "unknown" for rule in rules)


class Exposed(ClusterTest):
    def test_agents(self):
        """promtool finds nothing wrong with the agents' metrics"""
        for node in cluster.NODES:
            text = daemons.http_get(daemons.agent_pod(node), 9810, "/metrics")
            self.assertEqual(prometheus.check_metrics(text), "", node)

    def test_operator(self):
        """promtool finds nothing wrong with the operator's metrics"""
        text = daemons.http_get(daemons.operator_pod(), 8080, "/metrics")
        self.assertEqual(prometheus.check_metrics(text), "")
