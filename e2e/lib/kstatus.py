# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What kstatus (Flux, kpt, Config Sync) makes of an object of ours, by its documented rules."""

IN_PROGRESS, CURRENT, FAILED = "InProgress", "Current", "Failed"


def of(shown):
    """The status of a custom resource that is not about to go (cli-utils, pkg/kstatus/README.md)."""
    status = shown.get("status", {})
    conditions = {found["type"]: found["status"] for found in status.get("conditions", [])}
    if status.get("observedGeneration", shown["metadata"]["generation"]) != shown["metadata"]["generation"]:
        return IN_PROGRESS
    if conditions.get("Reconciling") == "True":
        return IN_PROGRESS
    if conditions.get("Stalled") == "True":
        return FAILED
    return CURRENT if conditions.get("Ready", "True") == "True" else IN_PROGRESS
