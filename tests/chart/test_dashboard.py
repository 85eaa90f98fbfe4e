"""The dashboard asks for metrics and labels that there are."""

import json
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from headgate_api.snapshot import CredentialPointer
from headgate_operator.credentials.metrics import CredentialMetrics
from headgate_operator.metrics import Metrics
from headgate_proxy.telemetry import metrics, state_collector

from .rendering import CHART

PANELS = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))["panels"]
ASKED = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]


def exposed() -> dict[str, set[str]]:
    """Return the labels of each series by its name, as registries and collectors declare them."""
    found: dict[str, set[str]] = {}
    operator = Metrics()
    CredentialMetrics(operator.registry)
    proxy = CollectorRegistry(auto_describe=True)
    metrics.ProxyMetrics(proxy)
    for registry in (operator.registry, proxy):
        for name, collector in registry._names_to_collectors.items():
            found[name] = {*cast("Any", collector)._labelnames, "le"}
    return found | collected()


def collected() -> dict[str, set[str]]:
    """Return those of the proxy's state, which exist only when there is some."""
    split = SimpleNamespace(revision="r", weight=100)
    live = SimpleNamespace(
        revision="r", problem=None, age_seconds=1.0, confirmed=True, head=SimpleNamespace(rollouts={"p": split})
    )
    pointer = CredentialPointer(path="p", version=1)
    credentials = SimpleNamespace(ages=lambda: {pointer: 1.0}, missing={pointer: "reason: why"})
    collector = state_collector.StateCollector(cast("Any", live), cast("Any", credentials))
    return {sample.name: set(sample.labels) for family in collector.collect() for sample in family.samples}


def test_there_is_something_to_see_of_everything_that_was_promised() -> None:
    text = " ".join(ASKED)
    for part in (
        "status=~",
        "auth_mode",
        "fallbacks",
        "tokens",
        "rollout_weight",
        "track",
        "revision",
        "relay",
        "age",
        "expiry",
    ):
        assert part in text, part


@pytest.mark.parametrize("expression", ASKED)
def test_every_metric_and_label_it_asks_for_exists(expression: str) -> None:
    known = exposed()

    asked = re.findall(r"headgate_\w+", expression)
    assert asked
    assert [name for name in asked if name not in known] == []
    labels = set().union(*(known[name] for name in asked))
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    matched = set(re.findall(r"(\w+)=~?\"", expression))
    assert grouped | matched <= labels
