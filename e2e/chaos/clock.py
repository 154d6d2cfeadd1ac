# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""A wall clock for one process that can be set. See clock.c."""

from processes import ROOT


class Clock:
    def __init__(self, path):
        self.path, self.ahead = path, 0
        self.jump(0)

    def jump(self, seconds_ahead):
        """From now on the clock is so many seconds ahead of the machine's."""
        self.ahead = seconds_ahead
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{seconds_ahead}\n")
        fresh.rename(self.path)

    def environment(self):
        return {"SKEP_CLOCK": str(self.path), "LD_PRELOAD": str(ROOT / "build/chaos/clock.so")}
