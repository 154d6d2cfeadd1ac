# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""Who may do what: owners of a namespace in theirs, the platform team on the whole, the operator."""

import json

from lib import cluster, daemons, policies
from lib.case import ClusterTest
from lib.shell import wait_until

GROUP = "skep.dev"
NAME_LABEL = "kubernetes.io/metadata.name"
WRITE = ("create", "update", "patch", "delete", "deletecollection")
READ = ("get", "list", "watch")
OPERATOR = "skep-operator"


def bind(kind, role, user, namespace=None):
    """A binding of a ClusterRole to a user, in a namespace or on the whole cluster."""
    metadata = {"name": f"{user}-{role}", **({"namespace": namespace} if namespace else {})}
    group = "rbac.authorization.k8s.io"
    cluster.create(
        {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }
    )
    return metadata["name"]


class User:
    """Somebody whom the API server knows by name only, and does what he may."""

    def __init__(self, name):
        self.name = name
        self.api = cluster.ApiConnection()

    def kubectl(self, *arguments, **how):
        return cluster.kubectl("--as", self.name, *arguments, **how)

    def may(self, verb, plural, namespace=None):
        """What the API server's authorizer says; without a namespace, of the whole cluster."""
        resource, _, subresource = plural.partition("/")
        attributes = {"group": GROUP, "verb": verb, "resource": resource, "subresource": subresource}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": self.name,
                "resourceAttributes": {**attributes, "namespace": namespace or ""},
            },
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return self.api.request("POST", path, review)["status"]["allowed"]

    def write(self, manifest):
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest), check=False)


class Roles(ClusterTest):
    def owner(self, role):
        """A user with one of Kubernetes' own roles in this test's namespace."""
        user = User(f"{role}-of-{self.namespace}")
        bind("RoleBinding", role, user.name, self.namespace)
        wait_until("the binding is in force", lambda: user.may("get", "observabilitypolicies", self.namespace))
        return user

    def test_edit(self):
        """who edits a namespace does all with policies there, and nothing elsewhere"""
        elsewhere = self.make_namespace()
        for role in ("edit", "admin"):
            owner = self.owner(role)
            for verb in READ + WRITE:
                self.assertTrue(owner.may(verb, "observabilitypolicies", self.namespace), verb)
                self.assertFalse(owner.may(verb, "observabilitypolicies", elsewhere), verb)
                for plural in ("clusterobservabilitypolicies", "probequotas"):
                    self.assertFalse(owner.may(verb, plural), f"{verb} {plural}")
            self.assertFalse(owner.may("patch", "observabilitypolicies/status", self.namespace))

    def test_edit_for_real(self):
        """such a user makes a policy, sees it Ready, edits and deletes it; elsewhere he is refused"""
        owner = self.owner("edit")
        elsewhere = self.make_namespace()
        self.assertIn("created", owner.write(policies.policy(self.namespace, "mine")))
        owner.kubectl("wait", "--for=condition=Ready", "obsp/mine", "-n", self.namespace, "--timeout=15s")
        edited = policies.policy(self.namespace, "mine", suspend=True)
        self.assertIn("configured", owner.write(edited))
        policies.wait_ready(self.namespace, "mine", "Suspended")
        owner.kubectl("delete", "obsp", "mine", "-n", self.namespace)
        for manifest in (
            policies.policy(elsewhere, "theirs"),
            policies.policy(cluster.SYSTEM, "theirs"),
            policies.cluster_policy(f"{self.namespace}-all", {}),
        ):
            self.assertIn("orbidden", owner.write(manifest))
        self.assertIn("orbidden", owner.kubectl("get", "obsp", "-n", elsewhere, check=False))

    def test_view(self):
        """who views a namespace reads its policies and their status, and writes none"""
        viewer = self.owner("view")
        for verb in READ:
            self.assertTrue(viewer.may(verb, "observabilitypolicies", self.namespace), verb)
        for verb in WRITE:
            self.assertFalse(viewer.may(verb, "observabilitypolicies", self.namespace), verb)

    def test_platform(self):
        """who has skep-platform writes policies of the cluster and quotas, and none in a namespace"""
        team = User(f"platform-{self.namespace}")
        name = bind("ClusterRoleBinding", "skep-platform", team.name)
        self.addCleanup(cluster.kubectl, "delete", "clusterrolebinding", name)
        wait_until("the binding is in force", lambda: team.may("create", "probequotas"))
        for verb in READ + WRITE:
            for plural in ("clusterobservabilitypolicies", "probequotas"):
                self.assertTrue(team.may(verb, plural), f"{verb} {plural}")
            self.assertFalse(team.may(verb, "observabilitypolicies", self.namespace), verb)
        for verb in (*READ, "delete"):
            self.assertTrue(team.may(verb, "nodeprobereports"), verb)
        for verb in ("create", "update", "patch"):
            self.assertFalse(team.may(verb, "nodeprobereports"), verb)

    def test_reports(self):
        """who views the whole cluster reads the reports of nodes; who views a namespace does not"""
        viewer = User(f"viewer-{self.namespace}")
        name = bind("ClusterRoleBinding", "view", viewer.name)
        self.addCleanup(cluster.kubectl, "delete", "clusterrolebinding", name)
        wait_until("the binding is in force", lambda: viewer.may("get", "nodeprobereports"))
        tenant = self.owner("view")
        for verb in READ:
            self.assertTrue(viewer.may(verb, "nodeprobereports"), verb)
            self.assertFalse(tenant.may(verb, "nodeprobereports"), verb)
        for verb in WRITE:
            self.assertFalse(viewer.may(verb, "nodeprobereports"), verb)


class Operator(ClusterTest):
    @staticmethod
    def rules():
        """Every rule of the operator, with where it holds: a namespace, or None for everywhere."""
        found = [(None, rule) for rule in cluster.get("clusterrole", OPERATOR)["rules"]]
        role = cluster.get("role", OPERATOR, cluster.SYSTEM)
        return found + [(cluster.SYSTEM, rule) for rule in role["rules"]]

    def test_nothing_more(self):
        """the operator's roles name each verb and resource, and no secret but its own"""
        for where, rule in self.rules():
            text = json.dumps(rule)
            self.assertNotIn("*", text)
            if "secrets" not in rule.get("resources", []):
                continue
            self.assertEqual(where, cluster.SYSTEM, text)
            named = rule.get("resourceNames")
            self.assertTrue(named or rule["verbs"] == ["create"], text)

    def test_watches(self):
        """it may list and watch what it does, and no more; it writes statuses of policies, and reports"""
        may_watch, may_write, may_create = set(), set(), set()
        for where, rule in self.rules():
            if where is None and "watch" in rule["verbs"]:
                self.assertEqual(sorted(rule["verbs"]), ["list", "watch"])
                may_watch.update(rule["resources"])
            if GROUP in rule["apiGroups"] and set(rule["verbs"]) & set(WRITE):
                self.assertIn(rule["verbs"], (["patch"], ["create", "patch"]))
                may_write.update(rule["resources"])
                may_create.update(rule["resources"] if "create" in rule["verbs"] else [])
        metrics = daemons.operator_metrics()
        does = {
            labels["resource"]
            for name, labels, value in metrics
            if name == "skep_operator_lists_total" and value > 0
        }
        self.assertEqual(may_watch, does)
        statuses = {f"{policies.resource(n)}/status" for n in ("any", None)}
        self.assertEqual(may_write, statuses | {"nodeprobereports"})
        self.assertEqual(may_create, {"nodeprobereports"})
        account = User(f"system:serviceaccount:{cluster.SYSTEM}:{OPERATOR}")
        for verb in WRITE:
            self.assertFalse(account.may(verb, "observabilitypolicies", self.namespace), verb)
