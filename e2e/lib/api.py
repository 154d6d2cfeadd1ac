# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""The operator's API, asked as any program would."""

import http.client
import json
import socket
import ssl

from lib import cluster, stranger

PORT = 8444
EDGES = "/api/v1/edges"
AUDIENCE = "https://kubernetes.default.svc"


class Connection(http.client.HTTPSConnection):
    """Dials the Service's address, and checks the certificate for its name."""

    def __init__(self):
        context = ssl.create_default_context(cadata=stranger.certificate_authority())
        super().__init__(stranger.SERVER_NAME, PORT, timeout=30, context=context)

    def connect(self):
        address = (cluster.service_address("skep-operator"), PORT)
        plain = socket.create_connection(address, self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


def request(bearer=None, query="", method="GET", path=EDGES):
    """Returns the status, the parsed body and the headers."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    connection = Connection()
    try:
        connection.request(method, path + query, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


def edges(bearer, namespace=None):
    """The edges that the bearer of the token sees."""
    status, body, _ = request(bearer, f"?namespace={namespace}" if namespace else "")
    assert status == 200, f"{status}: {body}"
    return body["edges"]


def make_account(namespace, name):
    """A service account without any right; returns its token for the API server."""
    metadata = {"namespace": namespace, "name": name}
    cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    return stranger.token(name, namespace, AUDIENCE)


def let_view(namespace, account_namespace, account):
    """Lets a service account view a namespace: Kubernetes' own role, with Skep's rules added."""
    cluster.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"namespace": namespace, "name": f"{account}-views"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "view",
            },
            "subjects": [
                {"kind": "ServiceAccount", "namespace": account_namespace, "name": account}
            ],
        }
    )
