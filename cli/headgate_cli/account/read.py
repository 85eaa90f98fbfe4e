"""Reading what account commands are about: the account, its provider, its conditions."""

from pydantic import ValidationError

from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_api.resources.base import problem_of
from headgate_cli.cluster.api import Api, Object
from headgate_cli.console import Refusal
from headgate_runtime.kube_errors import KubeError
from headgate_runtime.kube_kinds import LLM_PROVIDER, SUBSCRIPTION_ACCOUNT


def account(api: Api, namespace: str, name: str) -> tuple[SubscriptionAccount, Object]:
    """Return the account as an object of the contract, and as the API server gave it. Raises Refusal."""
    found = find(api, namespace, name)
    if found is None:
        raise Refusal(
            f"there is no SubscriptionAccount {name} in namespace {namespace}; `kubectl get subscriptionaccounts -A` lists them "
            "all, -n names another namespace, and `account import` or `account login` makes one"
        )
    return found


def find(api: Api, namespace: str, name: str) -> tuple[SubscriptionAccount, Object] | None:
    """Return the account, or None when there is none. Raises Refusal where the cluster knows no accounts."""
    body = api.get(SUBSCRIPTION_ACCOUNT, namespace, name)
    return None if body is None else (of_body(body), body)


def accounts(api: Api, namespace: str | None) -> list[SubscriptionAccount]:
    """Return all accounts of a namespace, or of all. Raises Refusal when the cluster does not know SubscriptionAccounts."""
    try:
        bodies = api.list(SUBSCRIPTION_ACCOUNT, namespace)
    except KubeError as error:
        if error.status == 404:
            raise Refusal(
                "this cluster knows no SubscriptionAccount: Headgate's chart is not installed here"
            ) from error
        raise
    return [of_body(body) for body in bodies]


def of_body(body: Object) -> SubscriptionAccount:
    """Return the account. Raises Refusal for an object that cannot be read."""
    metadata = body["metadata"]
    try:
        return SubscriptionAccount.from_wire(body)
    except ValidationError as error:
        raise Refusal(
            f"SubscriptionAccount {metadata['namespace']}/{metadata['name']} cannot be read by this version ({problem_of(error)}); "
            "use the headgate of the installed version"
        ) from error


def provider(api: Api, namespace: str, name: str) -> LLMProvider:
    """Return the provider of an account. Raises Refusal."""
    body = api.get(LLM_PROVIDER, namespace, name)
    if body is None:
        there = ", ".join(sorted(each["metadata"]["name"] for each in api.list(LLM_PROVIDER, namespace)))
        raise Refusal(
            f"there is no LLMProvider {name} in namespace {namespace} (there is: {there or 'none'}); create it, or name another "
            "with --provider"
        )
    try:
        return LLMProvider.from_wire(body)
    except ValidationError as error:
        raise Refusal(
            f"LLMProvider {namespace}/{name} cannot be read by this version ({problem_of(error)}); correct that field"
        ) from error


def label(account: SubscriptionAccount) -> str:
    """Return ``namespace/name``."""
    return f"{account.metadata.namespace}/{account.metadata.name}"
