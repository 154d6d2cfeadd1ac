# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""A machine outside the cluster: a network namespace with an address that no pod, Service or node has."""

import os
import subprocess

from lib.shell import run

# RFC 5737, "documentation": nobody's.
ADDRESS = "192.0.2.10"
GATEWAY = "192.0.2.9"


class Outside:
    """Reachable from pods by the host's routing. `test` is asked to end it."""

    def __init__(self, test):
        self.name = f"skep-outside-{os.getpid()}"
        link = f"skep-out{os.getpid() % 10000}"
        run("ip", "netns", "add", self.name)
        test.addCleanup(run, "ip", "netns", "delete", self.name)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "address", "add", f"{GATEWAY}/30", "dev", link)
        run("ip", "link", "set", link, "up")
        self.within("ip", "address", "add", f"{ADDRESS}/30", "dev", "eth0")
        self.within("ip", "link", "set", "eth0", "up")
        self.within("ip", "route", "add", "default", "via", GATEWAY)
        self.test = test

    def within(self, *command):
        return run("ip", "netns", "exec", self.name, *command)

    def start(self, *command):
        """Runs a program there until the test ends."""
        process = subprocess.Popen(["ip", "netns", "exec", self.name, *command])
        self.test.addCleanup(process.wait)
        self.test.addCleanup(process.kill)
