"""A bad setting is answered with the variable's name and the mend."""

import re

import pytest

from headgate_runtime.settings import Environment, SettingsError


def test_missing_variable_names_itself_and_the_mend() -> None:
    with pytest.raises(SettingsError, match=r"HEADGATE_FLEET is not set; set it to the fleet's name"):
        Environment({}).text("HEADGATE_FLEET", meaning="the fleet's name")


def test_empty_counts_as_unset() -> None:
    env = Environment({"A": " ", "B": ""})
    assert env.text("A", "fallback") == "fallback"
    assert env.optional("B") is None
    assert env.optional_url("B") is None


@pytest.mark.parametrize("value", ["x", "-1", "70000", "8080.5"])
def test_port_out_of_range(value: str) -> None:
    with pytest.raises(SettingsError, match=r"PORT is .*; set it to a whole number from 0 to 65535"):
        Environment({"PORT": value}).port("PORT", 8080)


def test_numbers_and_choices() -> None:
    env = Environment({"N": "5", "F": "2.5", "L": "INFO", "P": "/var/run"})
    assert env.integer("N", minimum=1, maximum=5) == 5
    assert env.number("F") == 2.5
    assert env.choice("L", ("DEBUG", "INFO")) == "INFO"
    assert str(env.path("P")) == "/var/run"
    with pytest.raises(SettingsError, match="set it to DEBUG or WARNING"):
        env.choice("L", ("DEBUG", "WARNING"))
    with pytest.raises(SettingsError, match="set it to an absolute path"):
        Environment({"P": "run"}).path("P")
    with pytest.raises(SettingsError, match="set it to a number from 0 to 1"):
        Environment({"F": "nan"}).number("F", maximum=1)


@pytest.mark.parametrize("value", ["vault:8200", "ftp://vault", "https://", "http://host:99999", "http://[::1"])
def test_url_must_be_absolute(value: str) -> None:
    with pytest.raises(SettingsError, match="set it to an absolute http:// or https:// URL"):
        Environment({"ADDR": value}).url("ADDR")


def test_url_with_credentials_is_refused_without_echo() -> None:
    with pytest.raises(SettingsError, match="carries user information") as caught:
        Environment({"ADDR": "https://me:hunter22@vault"}).url("ADDR")
    assert not re.search("hunter22", str(caught.value))


def test_url_loses_its_trailing_slash() -> None:
    assert Environment({"ADDR": "https://vault:8200/"}).url("ADDR") == "https://vault:8200"
