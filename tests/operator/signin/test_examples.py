"""The profiles in docs/examples: each offers the sign-in it is there to show, and none borrows another application's client."""

from pathlib import Path

import pytest
import yaml

from headgate_api.resources import SubscriptionAccount
from headgate_operator.signin.methods import NotOffered, chosen, offered

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.mark.parametrize(
    ("name", "method"), [("account-anthropic", "Paste"), ("account-codex", "Paste"), ("account-google", "Browser")]
)
def test_an_example_offers_its_way_to_sign_in_and_leaves_the_client_id_to_you(name: str, method: str) -> None:
    body = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    body["metadata"]["namespace"] = "team"
    account = SubscriptionAccount.from_wire(body)
    profile = account.spec.oauth
    assert profile is not None
    assert chosen(profile, None) == method
    assert profile.client_id.startswith("YOUR-OWN-CLIENT-ID")
    assert account.spec.acknowledgement is None
    if "DeviceCode" not in offered(profile):
        with pytest.raises(NotOffered, match="deviceAuthorizationEndpoint, or sign in by"):
            chosen(profile, "DeviceCode")


def test_no_example_names_a_client_that_could_be_real() -> None:
    for path in EXAMPLES.glob("*.yaml"):
        for body in yaml.safe_load_all(path.read_text()):
            given = ((body.get("spec") or {}).get("oauth") or {}).get("clientId", "YOUR-OWN-CLIENT-ID")
            assert given.startswith("YOUR-OWN-CLIENT-ID"), path.name
