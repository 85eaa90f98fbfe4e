import pytest

from headgate_api.origins import is_private_address, is_private_host, origin_of


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://API.Anthropic.com", "https://api.anthropic.com"),
        ("https://api.anthropic.com:443/v1/", "https://api.anthropic.com"),
        ("https://gateway.example:8443/anthropic", "https://gateway.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[2001:db8::1]:444/x", "https://[2001:db8::1]:444"),
    ],
)
def test_an_origin_is_scheme_host_and_port_that_differ(endpoint: str, origin: str) -> None:
    assert origin_of(endpoint) == origin


@pytest.mark.parametrize(
    "endpoint", ["ftp://x.example", "https://", "https://user:pw@x.example", "api.anthropic.com", "https://x:99999"]
)
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError):
        origin_of(endpoint)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1%eth0", "fc00::1",
        "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "::127.0.0.1", "::10.0.0.1", "2002:7f00:0001::", "224.0.0.1", "100.64.0.1",
    ],
)  # fmt: skip
def test_addresses_inside_are_private_however_they_are_wrapped(address: str) -> None:
    assert is_private_address(address)


def test_a_public_address_is_not_private() -> None:
    assert not is_private_address("160.79.104.10")
    assert not is_private_address("2607:6bc0::10")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost:1",
        "https://vault",
        "https://kubernetes.default.svc",
        "https://x.svc.cluster.local.",
        "https://10.0.0.1",
    ],
)
def test_in_cluster_names_and_addresses_are_private_hosts(endpoint: str) -> None:
    assert is_private_host(endpoint)


def test_a_vendor_is_not_a_private_host() -> None:
    assert not is_private_host("https://api.anthropic.com")
