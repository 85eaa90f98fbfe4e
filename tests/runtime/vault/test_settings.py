"""Settings from the environment: every mistake names its variable."""

from pathlib import Path

import pytest

from headgate_runtime.settings import SettingsError
from headgate_runtime.vault_settings import VaultSettings

GOOD = {"HEADGATE_VAULT_ADDR": "https://vault.example:8200/", "HEADGATE_VAULT_ROLE": "headgate-operator"}


def test_defaults_are_those_of_a_pod() -> None:
    settings = VaultSettings.from_env(GOOD)
    assert settings.address == "https://vault.example:8200"
    assert (settings.mount, settings.auth, settings.auth_path) == ("headgate", "kubernetes", "kubernetes")
    assert settings.token_file == Path("/var/run/secrets/headgate/vault/token")


def test_the_auth_path_follows_the_auth_method() -> None:
    assert VaultSettings.from_env(GOOD | {"HEADGATE_VAULT_AUTH": "jwt"}).auth_path == "jwt"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"HEADGATE_VAULT_ADDR": ""}, "HEADGATE_VAULT_ADDR is not set"),
        ({"HEADGATE_VAULT_ADDR": "vault:8200"}, "HEADGATE_VAULT_ADDR is .vault:8200.; set it to"),
        ({"HEADGATE_VAULT_ROLE": ""}, "HEADGATE_VAULT_ROLE is not set"),
        ({"HEADGATE_VAULT_AUTH": "approle"}, "set it to kubernetes or jwt"),
        ({"HEADGATE_VAULT_CA_FILE": "/none/ca.crt"}, "HEADGATE_VAULT_CA_FILE names /none/ca.crt"),
    ],
)
def test_a_bad_setting_names_its_variable(change: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        VaultSettings.from_env(GOOD | change)
