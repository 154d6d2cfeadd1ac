# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Every version of a policy that the API server ever showed, in order."""

import json
import threading
import urllib.parse

from lib import cluster, policies


class Recording:
    """Watches one name of a namespace until the test ends."""

    def __init__(self, test, name):
        path = f"/apis/{policies.API_VERSION}/namespaces/{test.namespace}/observabilitypolicies"
        query = {"watch": 1, "fieldSelector": f"metadata.name={name}", "timeoutSeconds": 120}
        self.versions = []
        self.connection = cluster.ApiConnection().connection
        self.connection.request("GET", f"{path}?{urllib.parse.urlencode(query)}")
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            for line in self.answer:
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    self.versions.append(event["object"])
        except (OSError, ValueError, AttributeError):
            return  # the connection has gone, with the test or the API server

    def of_generation(self, generation):
        return [shown for shown in self.versions if shown["metadata"]["generation"] == generation]
