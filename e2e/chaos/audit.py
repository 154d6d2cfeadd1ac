# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What the operators wrote, by the API server's audit log: nothing twice, nothing to and fro."""

import json


class Audit:
    def __init__(self, path):
        self.path, self.offset = path, 0
        self.last = {}  # policy -> status that was written last
        self.requests, self.lists, self.writes = 0, 0, 0

    def read(self, may_repeat=False, is_calm=False):
        """Reads what is new and returns what is wrong in it, a line each."""
        wrong = []
        with open(self.path, "rb") as log:
            log.seek(self.offset)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self.offset += len(line)
                wrong += self._take(json.loads(line), may_repeat, is_calm)
        return wrong

    def _take(self, event, may_repeat, is_calm):
        self.requests += 1
        self.lists += event["verb"] == "list"
        target = event.get("objectRef", {})
        if target.get("subresource") != "status":
            return []
        uid = event["requestObject"]["metadata"]["uid"]
        if event.get("responseStatus", {}).get("code") != 200:
            self.last.pop(uid, None)  # it may have been written all the same
            return []
        self.writes += 1
        name = f"{target.get('namespace', '')}/{target['name']}"
        status, before = event["requestObject"]["status"], self.last.get(uid)
        self.last[uid] = status
        if status == before and not may_repeat:
            return [f"policy {name}: the same status was written twice: {ready(status)}"]
        if is_calm and before and falls(before, status):
            return [f"policy {name}: {ready(before)} became {ready(status)} without a cause"]
        return []


def ready(status):
    condition = next(item for item in status["conditions"] if item["type"] == "Ready")
    return condition["status"], condition["reason"], condition["observedGeneration"]


def falls(before, after):
    """From True to what only an agent that is away or slow would cause."""
    return (
        ready(before)[0] == "True"
        and ready(after)[1] in ("Progressing", "AgentNotConnected")
        and ready(before)[2] == ready(after)[2]
    )
