"""A bad setting is an error that names the variable and the mend, and exit status 2."""

import json

import pytest

from headgate_operator.main import main
from headgate_operator.settings import OperatorSettings

GOOD = {
    "HEADGATE_NAMESPACE": "headgate-system",
    "HEADGATE_POD_NAME": "operator-1",
    "HEADGATE_POD_IP": "10.0.0.7",
    "HEADGATE_KUBE_URL": "https://10.0.0.1:6443",
    "HEADGATE_VAULT_ADDR": "https://vault.example:8200",
    "HEADGATE_VAULT_ROLE": "headgate-operator",
}


def test_what_a_pod_has_is_enough() -> None:
    settings = OperatorSettings.from_env(GOOD)
    assert settings.broker_address(8090) == "https://10.0.0.7:8090"
    assert settings.proxy.vault_address == "https://vault.example:8200"
    assert settings.default_fleet is None


def test_an_ipv6_pod_is_reached_by_a_valid_url() -> None:
    assert OperatorSettings.from_env(GOOD | {"HEADGATE_POD_IP": "fd00::7"}).broker_address(1) == "https://[fd00::7]:1"


def test_a_given_broker_url_and_proxy_vault_address_win() -> None:
    settings = OperatorSettings.from_env(
        GOOD
        | {"HEADGATE_BROKER_URL": "https://broker.example", "HEADGATE_PROXY_VAULT_ADDR": "https://edge-vault.example"}
    )
    assert settings.broker_address(8090) == "https://broker.example"
    assert settings.proxy.vault_address == "https://edge-vault.example"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HEADGATE_NAMESPACE", ""),
        ("HEADGATE_POD_NAME", ""),
        ("HEADGATE_POD_IP", ""),
        ("HEADGATE_PORT_BROKER", "many"),
        ("HEADGATE_BROKER_URL", "http://broker.example"),
        ("HEADGATE_VAULT_ADDR", ""),
        ("HEADGATE_LOG_LEVEL", "LOUD"),
        ("HEADGATE_DEFAULT_FLEET", "{"),
        ("HEADGATE_DEFAULT_FLEET", json.dumps({"image": "x", "allowedNamespaces": ["*"], "replicas": -1})),
    ],
)
def test_a_bad_setting_is_named_and_ends_the_process_with_2(
    variable: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], GOOD | {variable: value}) == 2
    assert variable in capsys.readouterr().err


def test_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--verbose"], GOOD) == 2
    assert "--verbose" in capsys.readouterr().err
