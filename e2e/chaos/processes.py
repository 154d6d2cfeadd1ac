# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Processes that end with whoever started them."""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def free_port():
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(arguments, log, environment=None, **options):
    """Starts a program, its output appended to a file."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            stderr=output,
            stdout=options.pop("stdout", output),
            env=os.environ | (environment or {}),
            preexec_fn=end_with_parent,
            **options,
        )


def wait_for(what, condition, seconds=60, pause=0.1):
    """Waits until the condition holds and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not so within {seconds} s")
        time.sleep(pause)
