"""Which rollout a request is subject to, and that nobody sees the candidate of a policy that does not govern the request."""

from hypothesis import given
from hypothesis import strategies as st

from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.snapshot import FleetSettings, ProviderEntry, ProviderForm, Snapshot, Split
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.routing.provider import Route
from headgate_proxy.routing.routing import Routing
from headgate_proxy.tracks.governing import governing, seen, visible

FLEET = FleetSettings(
    allowed_namespaces=("*",),
    allowances=Allowances(),
    caller_tokens=CallerTokens(),
    limits=Limits(),
    issuer="i",
    jwks={},
)
TESTER = "system:serviceaccount:a:tester"

MESSAGES = Operation.MESSAGES


def form(revision: str, models: list[str], grants: list[str]) -> ProviderForm:
    spec = {
        "protocol": "Anthropic",
        "endpoint": "https://api.example.com",
        "models": [{"name": model} for model in models],
        "auth": {"modes": ["APIKey"], "apiKey": {}},
        "allowedNamespaces": grants,
    }
    return ProviderForm.model_validate({"revision": revision, "spec": spec})


def split(**more: object) -> Split:
    return Split.model_validate({"revision": "x-1", "step": 0, "weight": 0, "salt": "s", "testers": (TESTER,)} | more)


def entry(
    label: str, stable: ProviderForm | None, candidate: ProviderForm | None = None, policy: str | None = None
) -> ProviderEntry:
    namespace, name = label.split("/")
    return ProviderEntry(
        namespace=namespace, name=name, generation=1, stable=stable, candidate=candidate, policy=policy
    )


def routing(*entries: ProviderEntry) -> Routing:
    return Routing.build(Snapshot(fleet=FLEET, providers=entries))


def test_the_first_policy_by_name_that_makes_a_difference_governs() -> None:
    table = routing(
        entry("a/one", form("r1", ["m"], []), form("r2", ["m"], []), "a/zeta"),
        entry("a/two", form("r1", ["n"], []), form("r2", ["n"], []), "a/alpha"),
    )
    rollouts = {"a/zeta": split(), "a/alpha": split(), "a/gone": split()}

    def policy(model: str) -> str | None:
        found = governing(table, rollouts, "a", model, MESSAGES, None, table.resolve("a", model, MESSAGES))
        return None if found is None else found.policy

    assert [policy(model) for model in ("m", "n", "unknown")] == ["a/zeta", "a/alpha", None]
    assert governing(table, {"a/alpha": split()}, "a", "m", MESSAGES, None, table.resolve("a", "m", MESSAGES)) is None


def test_an_image_governs_whatever_is_asked() -> None:
    table = routing(entry("a/one", form("r1", ["m"], [])))
    for model in ("m", "unknown"):
        stable = table.resolve("a", model, MESSAGES)
        found = governing(table, {"a/image": split(lane="Image")}, "a", model, MESSAGES, None, stable)
        assert found is not None
        assert found.candidate is stable


MODELS = st.lists(st.sampled_from(["m", "n", "o"]), min_size=1, max_size=3, unique=True)
GRANTS = st.lists(st.sampled_from(["a", "b", "*"]), max_size=2, unique=True)


@st.composite
def entries(draw: st.DrawFn) -> list[ProviderEntry]:
    made = []
    for name in ("one", "two", "three"):
        label = f"{draw(st.sampled_from(['a', 'b']))}/{name}"
        policy = draw(st.sampled_from([None, "p/x", "p/y"]))
        stable = form(f"{name}-stable", draw(MODELS), draw(GRANTS)) if policy is None or draw(st.booleans()) else None
        candidate = form(f"{name}-candidate-{policy}", draw(MODELS), draw(GRANTS)) if policy is not None else None
        made.append(entry(label, stable, candidate, policy))
    return made


@given(entries(), st.sampled_from(["a", "b", "c"]), st.sampled_from(["m", "n", "o"]))
def test_only_the_governing_policys_candidates_ever_answer(
    found: list[ProviderEntry], namespace: str, model: str
) -> None:
    table = routing(*found)
    stable = table.resolve(namespace, model, MESSAGES)
    assert not (isinstance(stable, Route) and "candidate" in stable.provider.revision)
    rollouts = {"p/x": split(), "p/y": split()}
    governed = governing(table, rollouts, namespace, model, MESSAGES, None, stable)
    if governed is None or not isinstance(governed.candidate, Route):
        return
    revision = governed.candidate.provider.revision
    assert revision.endswith(("-stable", f"-candidate-{governed.policy}"))


@given(entries(), st.sampled_from(["a", "b", "c"]))
def test_testers_are_shown_what_they_would_get_and_others_what_stable_serves(
    found: list[ProviderEntry], namespace: str
) -> None:
    table = routing(*found)
    rollouts = {"p/x": split(), "p/y": split(testers=())}
    assert visible(table, rollouts, namespace, "somebody", MESSAGES) == table.models(namespace, MESSAGES)
    shown = visible(table, rollouts, namespace, TESTER, MESSAGES)
    for model in ("m", "n", "o"):
        assert (model in shown) == isinstance(seen(table, rollouts, namespace, TESTER, model, MESSAGES), Route)
