"""Signing in is personal, and the API server says who does: the broker believes nothing else."""

import hashlib
import re

import pytest
from tests.resources.manifests import ACCOUNT, changed

from headgate_dev.cluster import CommandError

from .team import GITOPS, Team, refusal

pytestmark = pytest.mark.cluster

MAY, MAY_TOO, EDITOR = "sue", "tom", "ann"
RESOURCE = "subscriptionaccount/alice"


def key(name: str) -> str:
    return hashlib.sha256(f"emulated-key-{name}".encode()).hexdigest()


@pytest.fixture
def signers(team: Team) -> Team:
    """Sue and tom may sign in, ann edits, and a GitOps ServiceAccount may do everything."""
    team.bind("signers", "headgate-signer", f"--user={MAY}", f"--user={MAY_TOO}")
    team.bind("gitops", "cluster-admin", "--serviceaccount=argocd:controller")
    team.cluster.apply(changed(ACCOUNT, "spec.credential", {}), namespace=team.namespace, as_user=EDITOR)
    return team


def test_whoever_may_sign_in_begins_under_their_own_name_again_and_again(signers: Team) -> None:
    for user, name in ((MAY, "1"), (MAY, "2"), (MAY_TOO, "3")):
        signers.annotate(RESOURCE, user, sign_in=key(name), sign_in_by=user)
        assert signers.annotation(RESOURCE, "sign-in-by") == user


@pytest.mark.parametrize(
    ("user", "annotations", "says"),
    [
        (
            EDITOR,
            {"sign_in": key("1"), "sign_in_by": EDITOR},
            "needs the verb signin.*bind the ClusterRole headgate-signer",
        ),
        (MAY, {"sign_in": key("1"), "sign_in_by": MAY_TOO}, "sign-in-by is 'tom'.*made by 'sue'.*your own user name"),
        (MAY, {"sign_in": key("1")}, "sign-in-by is ''.*made by 'sue'"),
        (MAY, {"sign_in_by": MAY}, "must be the SHA-256 of a random key"),
        (MAY, {"sign_in": "not-a-hash", "sign_in_by": MAY}, "64 hexadecimal digits.*never the key itself"),
        (MAY, {"sign_in": key("1").upper(), "sign_in_by": MAY}, "64 hexadecimal digits"),
        (GITOPS, {"sign_in": key("1"), "sign_in_by": GITOPS}, "signing in is for people"),
    ],
)
def test_nobody_begins_for_another_or_without_the_right(
    signers: Team, user: str, annotations: dict[str, str | None], says: str
) -> None:
    with pytest.raises(CommandError) as refused:
        signers.annotate(RESOURCE, user, **annotations)
    assert re.search(says, refusal(refused.value)), refusal(refused.value)


def test_nobody_takes_over_the_sign_in_of_another(signers: Team) -> None:
    signers.annotate(RESOURCE, MAY, sign_in=key("1"), sign_in_by=MAY)
    with pytest.raises(CommandError, match="that 'sue' began"):
        signers.annotate(RESOURCE, MAY_TOO, sign_in_by=MAY_TOO)
    with pytest.raises(CommandError, match="is '', but this request is made by 'tom'"):
        signers.annotate(RESOURCE, MAY_TOO, sign_in_by=None)
    signers.annotate(RESOURCE, MAY_TOO, sign_in=key("2"), sign_in_by=MAY_TOO)


def test_others_edit_the_rest_and_may_take_both_back(signers: Team) -> None:
    signers.annotate(RESOURCE, MAY, sign_in=key("1"), sign_in_by=MAY)
    signers.patch(RESOURCE, {"spec": {"priority": 5}}, EDITOR)
    signers.patch(RESOURCE, {"spec": {"priority": 6}}, GITOPS)
    signers.annotate(RESOURCE, EDITOR, sign_in=None, sign_in_by=None)
    assert signers.annotation(RESOURCE, "sign-in") is None


def test_an_account_is_not_created_in_the_midst_of_anothers_sign_in(signers: Team) -> None:
    given = {"headgate.dev/sign-in": key("1"), "headgate.dev/sign-in-by": MAY}
    with pytest.raises(CommandError, match="needs the verb signin"):
        signers.cluster.apply(
            changed(
                changed(changed(ACCOUNT, "spec.credential", {}), "metadata.name", "bob"), "metadata.annotations", given
            ),
            namespace=signers.namespace,
            as_user=EDITOR,
        )


def test_revoking_takes_the_right_to_sign_in_or_to_delete(signers: Team) -> None:
    signers.cluster.kubectl(
        "create",
        "role",
        "patchers",
        "-n",
        signers.namespace,
        "--verb=get,patch",
        "--resource=subscriptionaccounts.headgate.dev",
    )
    signers.cluster.kubectl(
        "create", "rolebinding", "patchers", "-n", signers.namespace, "--role=patchers", "--user=pat"
    )
    signers.patch(RESOURCE, {"spec": {"priority": 1}}, "pat")
    with pytest.raises(CommandError, match=r"needs the verb signin or delete.*'pat'.*spec\.suspend"):
        signers.annotate(RESOURCE, "pat", revoke="0123456789abcdef")
    for user in (MAY, EDITOR, GITOPS):
        signers.annotate(RESOURCE, user, revoke=f"of-{hashlib.sha256(user.encode()).hexdigest()[:8]}")
    signers.annotate(RESOURCE, "pat", revoke=None)


@pytest.mark.parametrize("value", ["now", "0", "-1", "1.5", "99999999999"])
def test_a_refresh_names_a_generation(signers: Team, value: str) -> None:
    signers.annotate(RESOURCE, EDITOR, refresh="3")
    with pytest.raises(CommandError, match=r"headgate.dev/refresh is '.*status\.generation names"):
        signers.annotate(RESOURCE, EDITOR, refresh=value)


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_no_role_of_kubernetes_brings_the_right_to_sign_in(signers: Team, role: str) -> None:
    signers.bind(role, role, f"--user=one-{role}")
    for user, allowed in ((f"one-{role}", "no"), (MAY, "yes")):
        said = signers.cluster.kubectl(
            "auth",
            "can-i",
            "signin",
            "subscriptionaccounts.headgate.dev",
            "-n",
            signers.namespace,
            as_user=user,
            check=False,
        )
        assert said.strip() == allowed
