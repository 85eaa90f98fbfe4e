"""Which provider answers: one's own first, then granted ones, and not a word about the others."""

from typing import Any

from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.snapshot import FleetSettings, ProviderEntry, ProviderForm, Snapshot
from headgate_proxy.anthropic.errors import Refusal
from headgate_proxy.routing.provider import Route
from headgate_proxy.routing.routing import Routing


def entry(
    label: str, *models: str, grants: tuple[str, ...] = (), aliases: tuple[str, ...] = (), **spec: Any
) -> ProviderEntry:
    namespace, name = label.split("/")
    body = {
        "protocol": "Anthropic",
        "endpoint": "https://api.example.com",
        "models": [{"name": model, "aliases": list(aliases)} for model in models],
        "auth": {"modes": ["APIKey"], "apiKey": {}},
        "allowedNamespaces": list(grants),
    } | spec
    form = ProviderForm.model_validate({"revision": "r", "spec": body})
    return ProviderEntry(namespace=namespace, name=name, generation=1, stable=form)


def routing(*entries: ProviderEntry) -> Routing:
    fleet = FleetSettings(
        allowed_namespaces=("*",),
        allowances=Allowances(),
        caller_tokens=CallerTokens(),
        limits=Limits(),
        issuer="i",
        jwks={},
    )
    return Routing.build(Snapshot(fleet=fleet, providers=entries))


def to(found: Route | Refusal) -> str:
    return found.provider.label if isinstance(found, Route) else f"{found.status} {found.message}"


def test_ones_own_comes_first_then_granted_ones_by_name() -> None:
    table = routing(
        entry("b/zeta", "m", grants=("a",)),
        entry("c/alpha", "m", grants=("*",)),
        entry("a/own", "m"),
        entry("d/aaa", "m"),
    )
    assert to(table.resolve("a", "m")) == "a/own"
    assert to(table.resolve("a", "m", "zeta")) == "b/zeta"
    assert to(table.resolve("a", "m", "b/zeta")) == "b/zeta"
    assert to(table.resolve("x", "m")) == "c/alpha"
    assert to(table.resolve("b", "m")) == "b/zeta"


def test_a_hint_never_opens_what_is_not_granted() -> None:
    table = routing(entry("a/own", "m"), entry("d/secret-name", "m", "n"))
    refused = to(table.resolve("a", "m", "d/secret-name"))
    assert refused.startswith("404")
    assert refused.count("secret-name") == 1  # the caller's own words
    assert "a/own" in refused
    assert "secret-name" not in to(table.resolve("a", "n"))


def test_unknown_models_list_what_the_caller_may_use_bounded() -> None:
    table = routing(entry("a/own", *[f"m{i:02}" for i in range(30)]), entry("d/other", "hidden"))
    refused = to(table.resolve("a", "x"))
    assert "m00" in refused
    assert "and 10 more" in refused
    assert "hidden" not in refused
    assert "no LLMProvider serves" in to(table.resolve("z", "x"))


def test_aliases_lead_to_their_model_and_are_not_listed() -> None:
    table = routing(entry("a/own", "model", aliases=("m", "latest")))
    found = table.resolve("a", "latest")
    assert isinstance(found, Route)
    assert (found.model.name, found.asked) == ("model", "latest")
    assert table.models("a") == ("model",)


def test_a_provider_without_a_stable_form_is_not_there() -> None:
    hidden = entry("a/new", "m").model_copy(update={"stable": None})
    table = routing(hidden)
    assert to(table.resolve("a", "m")).startswith("404")
    assert table.models("a") == ()


def test_one_bad_endpoint_does_not_stop_the_others() -> None:
    table = routing(entry("a/bad", "x", endpoint="https://host:99999999"), entry("a/good", "m"))
    assert to(table.resolve("a", "m")) == "a/good"
    found = table.resolve("a", "x")
    assert isinstance(found, Route)
    assert found.provider.forbidden is not None
