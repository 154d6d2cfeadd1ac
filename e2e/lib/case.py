# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""The class that every end-to-end test derives from."""

import itertools
import os
import unittest

from lib import cluster, pods, policies
from lib.shell import wait_until

_serial = itertools.count(1)


class ClusterTest(unittest.TestCase):
    """A namespace for each test, gone after it, on a cluster that runs Skep.

    What a test measured, in `measured`, is shown on its line.
    """

    def setUp(self):
        self.measured = ""
        self.namespace = self.make_namespace()

    def make_namespace(self):
        """Another namespace of this test's own; returns its name."""
        name = f"e2e-{os.getpid()}-{next(_serial)}"
        cluster.create_namespace(name)
        self.addCleanup(cluster.delete_namespace, name)
        self.wait_namespace_usable(name)
        return name

    @staticmethod
    def wait_namespace_usable(name):
        """A pod cannot be made before the namespace has its service account."""
        wait_until(
            f"service account of {name}",
            lambda: cluster.kubectl(
                "get", "serviceaccount", "default", "-n", name, "--ignore-not-found"
            ),
        )

    def start_pod(self, name, labels=None, namespace=None, **how):
        manifest = pods.pod(namespace or self.namespace, name, labels, **how)
        return pods.start(manifest)[0]

    def apply_cluster_policy(self, name, namespace_labels, labels=None, **how):
        """A policy of the cluster, gone after the test; `name` is made its own. Returns that."""
        name = f"{self.namespace}-{name}"
        cluster.apply(policies.cluster_policy(name, namespace_labels, labels, **how))
        resource = policies.resource(None)
        self.addCleanup(cluster.kubectl, "delete", resource, name, "--ignore-not-found")
        return name

    def apply_policy(self, name, labels=None, probes=(policies.TCP,), namespace=None, **spec):
        manifest = policies.policy(namespace or self.namespace, name, labels, probes, **spec)
        cluster.apply(manifest)
        return manifest
