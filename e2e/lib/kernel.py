# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What the kernel itself says is loaded and attached (BPF_PROG_QUERY, by bpftool)."""

import json
import pathlib
import re

from lib.pods import cgroup
from lib.shell import run

PROGRAM = re.compile(r"^prog_id:\s*(\d+)$", re.MULTILINE)


def attached(shown):
    """The programs on a pod's own cgroup: a sorted list of (attach type, program name, id)."""
    return on_cgroup(cgroup(shown))


def on_cgroup(folder):
    answer = run("bpftool", "--json", "cgroup", "show", folder).strip()
    return sorted(
        (entry["attach_type"], entry.get("name", ""), entry["id"])
        for entry in (json.loads(answer) if answer else [])
    )


def hooks(shown):
    """The attach types of a pod's programs, one for each program."""
    return [attach_type for attach_type, _, _ in attached(shown)]


def below(shown):
    """Programs attached anywhere below the pod's cgroup, the pod's own included."""
    folder = cgroup(shown)
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    return [program for path in folders for program in on_cgroup(path)]


def programs():
    """All programs in the kernel, by id."""
    return {entry["id"]: entry for entry in json.loads(run("bpftool", "--json", "prog", "show"))}


def held(pid):
    """The ids of the programs that a process holds, itself or by a link."""
    found = set()
    for descriptor in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            found.update(map(int, PROGRAM.findall(descriptor.read_text())))
        except OSError:
            continue
    return found


def links(numbers):
    """The ids of all links of these programs."""
    listed = json.loads(run("bpftool", "--json", "link", "show"))
    return {entry["id"] for entry in listed if entry.get("prog_id") in numbers}


def names():
    return sorted(entry.get("name", "") for entry in programs().values())
