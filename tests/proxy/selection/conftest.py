"""Builders of providers, accounts and credentials for pure decisions."""

from typing import Any

import pytest

from headgate_api.resources.proxyfleet import Allowances
from headgate_api.secret import Secret
from headgate_api.snapshot import AccountEntry, AccountForm, CredentialPointer, ProviderEntry, ProviderForm
from headgate_proxy.routing.provider import Provider, compile_provider
from headgate_proxy.selection.states import Held

ORIGIN = "https://api.example.com"


def provider(
    modes: list[str] | None = None,
    fallback: dict[str, str] | None = None,
    accounts: list[dict[str, Any]] | None = None,
    strategy: str = "FillFirst",
) -> Provider:
    modes = modes or ["Subscription", "APIKey"]
    spec = {
        "protocol": "Anthropic",
        "endpoint": ORIGIN + "/base/",
        "models": [{"name": "m"}],
        "auth": {
            "modes": modes,
            "fallback": fallback or {},
            "apiKey": {} if "APIKey" in modes else None,
            "subscription": {"strategy": strategy} if "Subscription" in modes else None,
        },
    }
    form = ProviderForm.model_validate({"revision": "r", "spec": spec, "apiKey": {"path": "key", "version": 1}})
    entries = []
    for given in accounts or []:
        name = given.pop("name")
        body = {
            "providerRef": {"name": given.pop("provider", "p")},
            "owner": {"email": "a@b.test", "subjects": [{"name": given.pop("owner", "agent")}]},
        }
        account = AccountForm.model_validate(
            {
                "revision": "r",
                "acknowledged": given.pop("acknowledged", True),
                "labels": given.pop("labels", {}),
                "access": None if given.get("revoked") else {"path": name, "version": 1},
                "revoked": given.pop("revoked", False),
                "spec": body | given,
            }
        )
        entries.append((AccountEntry(namespace="team-a", name=name, generation=1, stable=account), account))
    entry = ProviderEntry(namespace="team-a", name="p", generation=1, stable=form)
    return compile_provider(entry, form, entries, Allowances())


def held(path: str, version: int = 1, **more: Any) -> Held:
    return Held(Secret("s"), more.pop("origins", frozenset({ORIGIN})), path, version, **more)


@pytest.fixture(name="provider")
def _provider() -> Any:
    return provider


@pytest.fixture(name="held")
def _held() -> Any:
    return held


@pytest.fixture
def vault() -> Any:
    """Every credential is held."""
    return lambda pointer: held(CredentialPointer.model_validate(pointer).path)
