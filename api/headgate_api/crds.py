"""CustomResourceDefinitions generated from the resource models: ``make crds`` writes them, a test fails when they differ.

Kubernetes wants *structural* schemas: no ``$ref``, no ``anyOf`` for optional fields, no ``title``; maps by
``additionalProperties``. Pydantic's JSON Schema is rewritten to that, and CEL rules ride along as schema extras.
Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import yaml

from headgate_api import names
from headgate_api.resources import LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount
from headgate_api.resources.base import Column, Resource

KINDS: Final[tuple[type[Resource], ...]] = (LLMProvider, ProxyFleet, RolloutPolicy, SubscriptionAccount)

_KEPT = (
    "description",
    "enum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "type",
)


def _structural(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the structural form of one JSON Schema node, references resolved."""
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        return _structural({**target, **{k: v for k, v in node.items() if k != "$ref"}}, definitions)
    if "anyOf" in node:
        (only,) = (option for option in node["anyOf"] if option.get("type") != "null")
        merged = {**only, **{k: v for k, v in node.items() if k not in ("anyOf", "default")}}
        optional = _structural(merged, definitions)
        optional.pop("x-defaultable", None)  # what may be absent must not be made from its own defaults
        return optional

    out = {k: node[k] for k in _KEPT if k in node}
    out.update({k: v for k, v in node.items() if k.startswith("x-kubernetes-")})
    if "const" in node:
        out["enum"] = [node["const"]]
    if out.get("type") == "integer":
        out["format"] = "int64"
    if node.get("default") is not None:
        out["default"] = _without_none(node["default"])
    if "description" in out:
        out["description"] = inspect.cleandoc(out["description"])
    if "items" in node:
        out["items"] = _structural(node["items"], definitions)
    properties = {name: _structural(child, definitions) for name, child in node.get("properties", {}).items()}
    if properties:
        out["properties"] = properties
        if node.get("required"):
            out["required"] = sorted(node["required"])
        if "default" not in out and not out.get("required"):
            out["x-defaultable"] = True
    elif out.get("type") == "object":
        extra = node.get("additionalProperties")
        if isinstance(extra, dict):
            out["additionalProperties"] = _structural(extra, definitions)
        else:
            out["x-kubernetes-preserve-unknown-fields"] = True
    return out


def _without_none(value: Any) -> Any:
    """Return a default without its absent fields: the API server takes null for a value."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _default_objects(schema: dict[str, Any]) -> dict[str, Any]:
    """Give every optional object that can be built from defaults alone ``default: {}``, so that its own defaults appear."""
    schema.pop("x-defaultable", None)
    needed = set(schema.get("required", ()))
    for name, child in schema.get("properties", {}).items():
        defaultable = child.pop("x-defaultable", False)
        _default_objects(child)
        if defaultable and name not in needed and _has_defaults(child):
            child["default"] = {}
    for branch in ("items", "additionalProperties"):
        if isinstance(schema.get(branch), dict):
            _default_objects(schema[branch])
    return schema


def _has_defaults(schema: Mapping[str, Any]) -> bool:
    return any("default" in child for child in schema.get("properties", {}).values())


def _column(column: Column) -> dict[str, Any]:
    out: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.priority:
        out["priority"] = column.priority
    if column.description:
        out["description"] = column.description
    return out


def crd(kind: type[Resource]) -> dict[str, Any]:
    """Return the CustomResourceDefinition of one kind."""
    whole = kind.model_json_schema(by_alias=True, mode="validation")
    definitions = whole.get("$defs", {})
    spec = _default_objects(_structural(whole["properties"]["spec"], definitions))
    status = _without_defaults(_structural(whole["properties"]["status"], definitions))
    root: dict[str, Any] = {
        "type": "object",
        "description": inspect.getdoc(kind) or "",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }
    if kind.RULES:
        root["x-kubernetes-validations"] = [rule.to_schema() for rule in kind.RULES]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.KIND,
                "listKind": f"{kind.KIND}List",
                "plural": kind.PLURAL,
                "singular": kind.KIND.lower(),
                "shortNames": list(kind.SHORT_NAMES),
                "categories": [names.CATEGORY],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": root},
                    "subresources": {"status": {}} | ({"scale": dict(kind.SCALE)} if kind.SCALE else {}),
                    "additionalPrinterColumns": [_column(column) for column in kind.COLUMNS],
                }
            ],
        },
    }


def _without_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop defaults from a status schema: what was not observed must stay absent."""
    schema.pop("default", None)
    schema.pop("x-defaultable", None)
    for child in schema.get("properties", {}).values():
        _without_defaults(child)
    if isinstance(schema.get("items"), dict):
        _without_defaults(schema["items"])
    return schema


def render(kind: type[Resource]) -> str:
    """Return one CRD as YAML, with the line that says it is generated."""
    return "# Generated from headgate_api.resources by `make crds`; do not edit.\n" + yaml.safe_dump(
        crd(kind), sort_keys=False, width=120, allow_unicode=True
    )


def files() -> dict[str, str]:
    """Return {file name: YAML} of every CRD, as kept in ``crds/``."""
    return {f"{names.GROUP}_{kind.PLURAL}.yaml": render(kind) for kind in KINDS}
