"""Changing exactly the account that was read: when it changed meanwhile, look and decide again."""

from collections.abc import Callable, Mapping
from typing import Final

from headgate_api.resources import SubscriptionAccount
from headgate_cli.account import read
from headgate_cli.cluster.api import Api, Object
from headgate_cli.console import Refusal
from headgate_runtime.kube_errors import Conflict
from headgate_runtime.kube_kinds import SUBSCRIPTION_ACCOUNT

_ATTEMPTS: Final = 6


def _always(_: SubscriptionAccount) -> bool:
    return True


def change(
    api: Api, namespace: str, name: str, patch: Object, still: Callable[[SubscriptionAccount], bool] = _always
) -> SubscriptionAccount:
    """Merge ``patch`` into the account while ``still`` holds of it; return it as it is then. Raises Refusal, KubeError."""
    for _ in range(_ATTEMPTS):
        account, body = read.account(api, namespace, name)
        if not still(account):
            raise Refusal(f"{read.label(account)} changed while you decided; look again with `account status {name}`")
        try:
            return read.of_body(api.patch(SUBSCRIPTION_ACCOUNT, body, patch))
        except Conflict:
            continue
    raise Refusal(f"{namespace}/{name} changes faster than it can be patched; try again")


def annotate(
    api: Api,
    namespace: str,
    name: str,
    annotations: Mapping[str, str | None],
    still: Callable[[SubscriptionAccount], bool] = _always,
) -> SubscriptionAccount:
    """Set annotations (None: remove) while ``still`` holds of the account. Raises Refusal, KubeError."""
    return change(api, namespace, name, {"metadata": {"annotations": dict(annotations)}}, still)
