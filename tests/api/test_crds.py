from pathlib import Path
from typing import Any

import pytest

from headgate_api import acknowledgement
from headgate_api.crds import KINDS, crd
from headgate_api.resources import LLMProvider, ProxyFleet
from headgate_cli.generate import generated

ROOT = Path(__file__).parents[2]


def test_the_committed_files_are_the_generated_ones() -> None:
    for name, text in generated().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name}: run make crds"


def nodes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    children = [*schema.get("properties", {}).values()]
    children += [schema[k] for k in ("items", "additionalProperties") if isinstance(schema.get(k), dict)]
    return [schema, *(n for child in children for n in nodes(child))]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.KIND)
def test_schemas_are_structural(kind: Any) -> None:
    root = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    for node in nodes(root):
        assert "type" in node
        assert not {"$ref", "anyOf", "title", "const"} & node.keys()


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.KIND)
def test_every_field_of_a_spec_has_a_type_and_optional_objects_show_their_defaults(kind: Any) -> None:
    spec = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    assert spec["description"]
    if kind is LLMProvider:
        assert spec["properties"]["timeouts"]["default"] == {}
        assert spec["properties"]["auth"]["properties"]["fallback"]["properties"]["revoked"]["default"] == "Deny"
    if kind is ProxyFleet:
        assert spec["properties"]["allowances"]["properties"]["plainHTTP"]["default"] is False


def test_what_the_schema_defaults_is_what_the_model_defaults() -> None:
    minimal = {
        "protocol": "Anthropic",
        "endpoint": "https://api.anthropic.com",
        "models": [{"name": "m"}],
        "auth": {"modes": ["APIKey"], "apiKey": {}},
    }
    read = LLMProvider.from_wire({"metadata": {"name": "a", "namespace": "n"}, "spec": minimal})

    assert read.spec.to_wire()["timeouts"] == {"connectSeconds": 10, "firstByteSeconds": 600, "idleSeconds": 300}
    assert set(read.spec.to_wire()["auth"]["fallback"].values()) == {"Deny"}


def test_the_warning_names_its_version() -> None:
    assert acknowledgement.TEXT_VERSION in acknowledgement.WARNING


def test_an_object_that_may_be_absent_is_not_made_from_its_own_defaults() -> None:
    spec = crd(LLMProvider)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    subscription = spec["properties"]["auth"]["properties"]["subscription"]

    assert subscription["properties"]["strategy"]["default"] == "FillFirst"
    assert "default" not in subscription
