# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Runs programs and waits for what takes a while."""

import subprocess
import time

COMMAND_SECONDS = 120


class CommandFailed(AssertionError):
    """A program ended with an error; the message holds what it said."""

    def __init__(self, arguments, result):
        self.output = result.stdout + result.stderr
        command = " ".join(str(word)[:200] for word in arguments)
        super().__init__(f"'{command}' ended with {result.returncode}: {self.output[-2000:]}")


def run(*arguments, stdin=None, check=True, timeout=COMMAND_SECONDS, env=None):
    """Returns what the program printed (both outputs, if it may fail and does)."""
    result = subprocess.run(
        [str(word) for word in arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL if stdin is None else None,
        text=True,
        timeout=timeout,
        env=env,
        check=False,
    )
    if result.returncode == 0:
        return result.stdout
    if check:
        raise CommandFailed(arguments, result)
    return result.stdout + result.stderr


def wait_until(what, condition, seconds=20.0, interval=0.05):
    """Calls `condition` until it returns something true, and returns that.

    A failing assertion within it counts as "not yet" and is told if time runs out.
    """
    deadline = time.monotonic() + seconds
    while True:
        trouble = None
        try:
            value = condition()
        except (AssertionError, OSError) as error:
            value, trouble = None, error
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}" + (f" ({trouble})" if trouble else ""))
        time.sleep(interval)
