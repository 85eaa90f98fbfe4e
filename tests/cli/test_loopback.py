"""The redirect to this machine: which request counts, and what every other one is told."""

import socket

import pytest

from headgate_cli.account.loopback import MAX_HEAD_BYTES, Listener, Loopback, judge, state_of
from headgate_dev.host.network import free_ports

WHERE = Loopback("localhost", 1455, "/auth/callback", "localhost:1455")
STATE = "emulated-state"


def request(target: str, host: str = "localhost:1455", method: str = "GET", more: str = "") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode("latin-1")


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("http://localhost:1455/auth/callback", WHERE),
        ("http://127.0.0.1:1455/", Loopback("127.0.0.1", 1455, "/", "127.0.0.1:1455")),
        ("http://[::1]:1455/x", Loopback("::1", 1455, "/x", "[::1]:1455")),
        ("http://localhost", Loopback("localhost", 80, "/", "localhost")),
        ("https://localhost:1455/auth/callback", None),
        ("http://localhost.example.com:1455/", None),
        ("http://0.0.0.0:1455/", None),
        ("http://192.0.2.1:1455/", None),
        ("http://localhost:port/", None),
        ("http://[::1", None),
        (None, None),
    ],
)
def test_only_the_loopback_interface_is_listened_at(uri: str | None, found: Loopback | None) -> None:
    assert Loopback.of(uri) == found


def test_the_vendors_redirect_is_handed_over_whole() -> None:
    reply = judge(request(f"/auth/callback?code=c%20d&state={STATE}"), WHERE, STATE)
    assert reply.brought is not None
    assert reply.brought.reveal() == f"http://localhost:1455/auth/callback?code=c%20d&state={STATE}"
    assert "c%20d" not in reply.to_bytes().decode()


def test_a_refusal_of_the_vendor_is_handed_over_too() -> None:
    reply = judge(request(f"/auth/callback?error=access_denied&state={STATE}"), WHERE, STATE)
    assert reply.brought is not None and "error=access_denied" in reply.brought.reveal()


@pytest.mark.parametrize(
    "head",
    [
        request("/auth/callback?code=c"),
        request("/auth/callback?code=c&state=other"),
        request("/auth/callback?code=c&state=emulated-stat%C3%A9"),
        request(f"/auth/callback/?code=c&state={STATE}"),
        request(f"/?code=c&state={STATE}"),
        request(f"/auth/callback?code=c&state={STATE}", host="evil.example:1455"),
        request(f"/auth/callback?code=c&state={STATE}", host="localhost:1456"),
        request(f"/auth/callback?code=c&state={STATE}", method="POST"),
        request(f"http://localhost:1455/auth/callback?code=c&state={STATE}"),
        f"GET /auth/callback?code=c&state={STATE} HTTP/1.1\r\n\r\n".encode(),
        f"GET /auth/callback?code=c&state={STATE} HTTP/1.1\r\nHost: localhost:1455".encode(),
        f"GET /auth/callback?code=c&state={STATE}\r\n\r\n".encode(),
        b"",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\xff" * 100,
    ],
)
def test_nothing_else_ends_the_wait_and_nothing_of_it_is_repeated(head: bytes) -> None:
    reply = judge(head, WHERE, STATE)
    assert reply.brought is None and not reply.status.startswith("200")


def test_pages_escape_run_nothing_and_leave_no_trace() -> None:
    page = judge(request("/<script>alert(1)</script>"), WHERE, STATE).to_bytes().decode()
    assert "script" not in page.partition("\r\n\r\n")[2]
    for header in (
        "Content-Security-Policy: default-src 'none'",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
    ):
        assert header in page


def test_the_state_stands_in_the_address_that_a_person_opens() -> None:
    assert state_of(f"https://vendor.example/authorize?client_id=x&state={STATE}") == STATE
    assert state_of("https://vendor.example/authorize") is None
    assert state_of(None) is None and state_of("http://[") is None


@pytest.mark.parametrize("sent", [b"", b"GET ", b"x" * (MAX_HEAD_BYTES + 10)], ids=["nothing", "half", "too much"])
def test_a_stranger_who_sends_nothing_half_or_too_much_is_cut_off(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate_cli.account.loopback._READ_SECONDS", 0.2)
    (port,) = free_ports(1)
    where = Loopback("127.0.0.1", port, "/callback", f"127.0.0.1:{port}")
    with Listener(where, STATE) as listener:
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(sent)
            assert listener.answer(listener.sockets[0]) is None
        with socket.create_connection(("127.0.0.1", port)) as browser:
            browser.sendall(request(f"/callback?code=c&state={STATE}", host=where.authority))
            assert listener.answer(listener.sockets[0]) is not None
            assert browser.recv(64).startswith(b"HTTP/1.1 200 OK")


def test_it_listens_on_nothing_but_the_loopback_interface() -> None:
    (port,) = free_ports(1)
    with Listener(Loopback("localhost", port, "/", f"localhost:{port}"), STATE) as listener:
        assert {each.getsockname()[0] for each in listener.sockets} <= {"127.0.0.1", "::1"}
