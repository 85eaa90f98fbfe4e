"""Reading what rollout commands show: policies, and the revisions that the operator keeps of them and their targets."""

from typing import Any, Final

from pydantic import ValidationError

from headgate_api.resources import RolloutPolicy
from headgate_api.revisions import revision_name
from headgate_cli.cluster.api import Api, Object
from headgate_cli.console import Refusal
from headgate_cli.rollout.subject import Subject, pinned_spec
from headgate_runtime.kube_errors import KubeError
from headgate_runtime.kube_kinds import CONTROLLER_REVISION, ROLLOUT_POLICY

_FORBIDDEN: Final = 403


def subject(api: Api, namespace: str, name: str) -> tuple[Subject, Object]:
    """Return the policy as an object of the contract, and as the API server gave it. Raises Refusal."""
    body = api.get(ROLLOUT_POLICY, namespace, name)
    if body is None:
        raise Refusal(
            f"there is no RolloutPolicy {name} in namespace {namespace}; `kubectl get rolloutpolicies -A` lists them all, and "
            "-n names another namespace"
        )
    return of_body(api, body), body


def subjects(api: Api, namespace: str | None) -> list[Subject]:
    """Return all policies of a namespace, or of all. Raises Refusal when the cluster does not know RolloutPolicies."""
    try:
        bodies = api.list(ROLLOUT_POLICY, namespace)
    except KubeError as error:
        if error.status == 404:
            raise Refusal("this cluster knows no RolloutPolicy: Headgate's chart is not installed here") from error
        raise
    return [of_body(api, body) for body in bodies]


def of_body(api: Api, body: Object) -> Subject:
    """Return a policy with the spec that its rollout runs under. Raises Refusal for an object that cannot be read."""
    metadata = body["metadata"]
    try:
        policy = RolloutPolicy.from_wire(body)
    except ValidationError as error:
        raise Refusal(
            f"RolloutPolicy {metadata['namespace']}/{metadata['name']} cannot be read by this version: {error.error_count()} "
            "fields are not what it knows; use the headgate of the installed version"
        ) from error
    rollout = policy.status.rollout
    if rollout is None:
        return Subject(policy)
    data = revision_data(api, policy.metadata.namespace, policy.KIND, policy.metadata.name, rollout.policy_revision)
    return Subject(policy, pinned_spec(data))


def revision_data(api: Api, namespace: str, kind: str, name: str, revision: str | None) -> Any:
    """Return the ``data`` of the ControllerRevision that keeps this revision; None without one, or without the right."""
    if revision is None:
        return None
    try:
        found = api.get(CONTROLLER_REVISION, namespace, revision_name(kind, name, revision))
    except KubeError as error:
        if error.status == _FORBIDDEN:
            return None
        raise
    return None if found is None else found.get("data")
