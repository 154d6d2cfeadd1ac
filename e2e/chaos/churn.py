# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Churn beside what else happens, from a thread that goes on whatever the API server does."""

import http.client
import threading
import time

from plane import Refused


class Churn(threading.Thread):
    """Changes the world until it is ended with end()."""

    def __init__(self, world, per_second):
        super().__init__(daemon=True)
        self.world, self.pause = world, 1 / per_second
        self.ending = threading.Event()
        self.changes, self.failure = 0, None

    def run(self):
        try:
            while not self.ending.wait(self.pause):
                self._change()
        except Exception as failure:  # it is told by end(), where somebody listens
            self.failure = failure

    def _change(self):
        try:
            self.world.change()
            self.changes += 1
        except (OSError, http.client.HTTPException, Refused):
            self._start_over()

    def _start_over(self):
        """The API server went, and nobody knows what it did before."""
        while True:
            try:
                self.world.learn()
                return
            except (OSError, http.client.HTTPException, Refused):
                time.sleep(0.2)

    def end(self):
        self.ending.set()
        self.join()
        if self.failure:
            raise self.failure
        return self.changes
