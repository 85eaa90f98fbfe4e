"""The examples of the docs are what the API server takes, and lead requests where each vendor serves them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate_api.reasons import AuthMode
from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_dev.cluster import Cluster

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if not path.name.startswith("rollout-"))


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_holds_no_secret_and_no_field_that_is_not_there(path: Path) -> None:
    ours = {"LLMProvider": LLMProvider, "SubscriptionAccount": SubscriptionAccount}
    for document in (each for each in documents(path) if each["kind"] != "ServiceAccount"):
        kind: Any = ours[document["kind"]]
        known = kind.model_validate({**document, "metadata": document["metadata"] | {"namespace": "team"}})
        assert set(document["spec"]) <= set(known.spec.to_wire())
        if isinstance(known, LLMProvider):
            assert known.spec.endpoint.startswith("https://")
            assert {AuthMode.API_KEY, AuthMode.WORKLOAD_IDENTITY} & set(known.spec.auth.modes)
        else:
            assert known.spec.acknowledgement is None


@pytest.mark.cluster
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_api_server_takes_an_example(cluster: Cluster, crds: None, namespace: str, path: Path) -> None:
    for document in documents(path):
        cluster.apply(document, namespace=namespace)
