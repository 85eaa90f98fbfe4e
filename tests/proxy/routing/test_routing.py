"""Which provider answers: one's own first, then granted ones, and not a word about the others."""

from typing import Any

from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.snapshot import (
    AccountEntry,
    AccountForm,
    CredentialPointer,
    FleetSettings,
    ProviderEntry,
    ProviderForm,
    Snapshot,
)
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.refusal import Refusal
from headgate_proxy.routing.provider import Route
from headgate_proxy.routing.routing import Routing

MESSAGES = Operation.MESSAGES


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


def routing(*entries: ProviderEntry, accounts: tuple[AccountEntry, ...] = ()) -> Routing:
    fleet = FleetSettings(
        allowed_namespaces=("*",),
        allowances=Allowances(),
        caller_tokens=CallerTokens(),
        limits=Limits(),
        issuer="i",
        jwks={},
    )
    return Routing.build(Snapshot(fleet=fleet, providers=entries, accounts=accounts))


def to(found: Route | Refusal) -> str:
    return found.provider.label if isinstance(found, Route) else f"{found.status} {found.message}"


def test_ones_own_comes_first_then_granted_ones_by_name() -> None:
    table = routing(
        entry("b/zeta", "m", grants=("a",)),
        entry("c/alpha", "m", grants=("*",)),
        entry("a/own", "m"),
        entry("d/aaa", "m"),
    )
    assert to(table.resolve("a", "m", MESSAGES)) == "a/own"
    assert to(table.resolve("a", "m", MESSAGES, "zeta")) == "b/zeta"
    assert to(table.resolve("a", "m", MESSAGES, "b/zeta")) == "b/zeta"
    assert to(table.resolve("x", "m", MESSAGES)) == "c/alpha"
    assert to(table.resolve("b", "m", MESSAGES)) == "b/zeta"


def test_a_hint_never_opens_what_is_not_granted() -> None:
    table = routing(entry("a/own", "m"), entry("d/secret-name", "m", "n"))
    refused = to(table.resolve("a", "m", MESSAGES, "d/secret-name"))
    assert refused.startswith("404")
    assert refused.count("secret-name") == 1  # the caller's own words
    assert "a/own" in refused
    assert "secret-name" not in to(table.resolve("a", "n", MESSAGES))


def test_unknown_models_list_what_the_caller_may_use_bounded() -> None:
    table = routing(entry("a/own", *[f"m{i:02}" for i in range(30)]), entry("d/other", "hidden"))
    refused = to(table.resolve("a", "x", MESSAGES))
    assert "m00" in refused
    assert "and 10 more" in refused
    assert "hidden" not in refused
    assert "no LLMProvider serves" in to(table.resolve("z", "x", MESSAGES))


def test_aliases_lead_to_their_model_and_are_not_listed() -> None:
    table = routing(entry("a/own", "model", aliases=("m", "latest")))
    found = table.resolve("a", "latest", MESSAGES)
    assert isinstance(found, Route)
    assert (found.model.name, found.asked) == ("model", "latest")
    assert table.models("a", MESSAGES) == ("model",)


def test_a_provider_without_a_stable_form_is_not_there() -> None:
    hidden = entry("a/new", "m").model_copy(update={"stable": None})
    table = routing(hidden)
    assert to(table.resolve("a", "m", MESSAGES)).startswith("404")
    assert table.models("a", MESSAGES) == ()


def test_one_bad_endpoint_does_not_stop_the_others() -> None:
    table = routing(entry("a/bad", "x", endpoint="https://host:99999999"), entry("a/good", "m"))
    assert to(table.resolve("a", "m", MESSAGES)) == "a/good"
    found = table.resolve("a", "x", MESSAGES)
    assert isinstance(found, Route)
    assert found.provider.forbidden is not None


def account(label: str, provider: str, *, policy: str | None = None, candidate: bool = False) -> AccountEntry:
    namespace, name = label.split("/")
    spec = {
        "providerRef": {"name": provider},
        "owner": {"email": "a@example.test", "subjects": [{"name": "agent"}]},
        "sharing": "Pool",
    }
    form = AccountForm.model_validate({"revision": "r", "spec": spec, "acknowledged": True})
    other = AccountForm.model_validate({"revision": "s", "spec": spec | {"priority": 5}, "acknowledged": True})
    return AccountEntry(
        namespace=namespace,
        name=name,
        generation=1,
        stable=form,
        candidate=other if candidate else None,
        policy=policy,
    )


def guarded(
    stable: ProviderEntry | None, candidate: ProviderEntry, policy: str = "a/gate", revision: str = "s"
) -> ProviderEntry:
    assert candidate.stable is not None
    form = candidate.stable.model_copy(update={"revision": revision})
    kept = stable.stable if stable is not None else None
    return candidate.model_copy(update={"stable": kept, "candidate": form, "policy": policy})


def test_an_overlay_has_exactly_its_own_policys_candidates() -> None:
    table = routing(
        guarded(entry("a/one", "m"), entry("a/one", "m", "new")),
        guarded(entry("a/two", "n"), entry("a/two", "n", "newer"), policy="a/other"),
        entry("a/three", "o"),
    )
    gate, other = table.overlays["a/gate"], table.overlays["a/other"]
    assert to(gate.resolve("a", "new", MESSAGES)) == "a/one"
    assert to(gate.resolve("a", "newer", MESSAGES)).startswith("404")
    assert to(other.resolve("a", "new", MESSAGES)).startswith("404")
    assert to(table.resolve("a", "new", MESSAGES)).startswith("404")
    assert gate.models("a", MESSAGES) == ("m", "n", "new", "o")
    assert gate.providers["a/three"] is table.providers["a/three"]
    assert gate.providers["a/two"] is table.providers["a/two"]
    assert gate.providers["a/one"] is not table.providers["a/one"]


def test_a_candidate_that_changes_nothing_makes_no_overlay() -> None:
    same = entry("a/one", "m")
    assert not routing(guarded(same, same, revision="r")).overlays


def test_a_candidate_may_grant_and_withdraw() -> None:
    table = routing(guarded(entry("a/one", "m", grants=("b",)), entry("a/one", "m", grants=("c",))))
    overlay = table.overlays["a/gate"]
    assert [to(table.resolve(namespace, "m", MESSAGES))[:5] for namespace in "abc"] == ["a/one", "a/one", "404 m"]
    assert [to(overlay.resolve(namespace, "m", MESSAGES))[:5] for namespace in "abc"] == ["a/one", "404 m", "a/one"]


def test_the_accounts_of_a_policy_are_candidates_in_its_overlay_only() -> None:
    stable = entry("a/one", "m", auth={"modes": ["Subscription"], "subscription": {}})
    table = routing(
        stable,
        accounts=(account("a/x", "one"), account("a/y", "one", policy="a/gate", candidate=True)),
    )
    assert [a.name for a in table.providers["a/one"].accounts] == ["x", "y"]
    assert [a.name for a in table.overlays["a/gate"].providers["a/one"].accounts] == ["y", "x"]


def test_the_credentials_of_both_forms_are_wanted() -> None:
    form = entry("a/one", "m")
    key = {"path": "a/llmproviders/one/api-key"}
    stable = form.model_copy(update={"stable": with_key(form, CredentialPointer(version=1, **key))})
    candidate = form.model_copy(update={"stable": with_key(form, CredentialPointer(version=2, **key))})
    assert sorted(p.version for p in routing(guarded(stable, candidate)).pointers) == [1, 2]


def with_key(entry: ProviderEntry, pointer: CredentialPointer) -> ProviderForm:
    assert entry.stable is not None
    return entry.stable.model_copy(update={"api_key": pointer})
