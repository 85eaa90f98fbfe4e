"""``account login`` against a real API server and a broker over TLS: every way to bring a code, and everything that goes wrong."""

import io
import json
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headgate_api import names
from headgate_cli.account import broker as broker_module
from headgate_cli.account import login
from headgate_cli.console import Console
from headgate_dev.emulator import throwaway_tls
from headgate_dev.host.network import free_ports

from .accounts import ACCEPT, GRANT, OAUTH, Accounts, answering, served
from .brokering import AUTHORIZE, STATE, FakeBroker, over, pending, vendor_page
from .kubelet import KubeletThread


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll as fast as can be."""
    monkeypatch.setattr(login, "_POLL_SECONDS", 0.05)


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def signed_in(accounts: Accounts, **oauth: Any) -> None:
    """Make the account, with the status it will have once it is signed in."""
    accounts.account(
        served(signIn={"by": "alice", "at": "2026-03-01T12:00:00Z", "grantId": GRANT}), oauth=OAUTH | oauth
    )


def test_a_pasted_code_signs_in(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    typed(monkeypatch, f"right#{STATE}")
    with FakeBroker(accounts, vendor_page()) as broker:
        assert accounts.run("login", "alice", *broker.here, *ACCEPT) == 0
    out, err = capsys.readouterr()
    assert AUTHORIZE in err and "paste the whole code that the vendor's page shows (code#state)" in err
    assert f"{accounts.namespace}/alice: signed in: grant" in out
    assert "is acknowledged by headgate-dev-admin" in out and "requests may use it" in out
    assert broker.asked[:2] == [("POST", "sign-in", {}), ("POST", "code", {"code": f"right#{STATE}"})]
    assert accounts.annotations()[names.ANNOTATION_SIGN_IN_BY] == "headgate-dev-admin"
    assert len(accounts.annotations()[names.ANNOTATION_SIGN_IN]) == 64


def test_what_is_still_needed_is_told_and_json_says_it_too(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    typed(monkeypatch, "right")
    with FakeBroker(accounts, vendor_page()) as broker:
        assert accounts.run("login", "alice", *broker.here, "-o", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["grantId"], shown["method"], shown["account"]["signIn"]["by"]) == (GRANT, "Paste", "alice")
    assert [need["reason"] for need in shown["account"]["needs"]] == ["NotAcknowledged"]


def test_a_wrong_code_may_be_pasted_again_on_a_terminal(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    answering(monkeypatch)
    typed(monkeypatch, "wrong#code", "", "right#code")
    with FakeBroker(accounts, vendor_page()) as broker:
        assert accounts.run("login", "alice", *broker.here) == 0
    err = capsys.readouterr().err
    assert "the broker refuses, BadCode: this code belongs to another sign-in" in err and "paste again:" in err
    assert "\x1b" not in err


def test_a_wrong_code_from_a_pipe_ends_it_and_the_sign_in_is_given_up(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    typed(monkeypatch, "wrong#code")
    with FakeBroker(accounts, vendor_page()) as broker:
        assert accounts.run("login", "alice", *broker.here) == 1
    assert broker.asked[-1] == ("DELETE", "sign-in", None)
    assert "BadCode" in capsys.readouterr().err


def test_no_code_at_all_is_a_sentence(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    typed(monkeypatch)
    with FakeBroker(accounts, vendor_page()) as broker:
        assert accounts.run("login", "alice", *broker.here) == 1
    assert "no code came on standard input" in capsys.readouterr().err


def test_a_redirect_to_this_machine_brings_the_code_by_itself(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    redirect = f"http://localhost:{port}/callback"
    signed_in(accounts, redirectURI=redirect)
    typed(monkeypatch)
    genuine = vendor_page()

    def answer(method: str, last: str, body: Any) -> tuple[int, Any]:
        status, shown = genuine(method, last, body)
        return status, shown | ({"redirectURI": redirect} if "redirectURI" in shown else {})

    pages: list[str] = []

    def browse() -> None:
        for address in (f"{redirect}?code=evil&state=other", f"{redirect}?code=right&state={STATE}"):
            pages.append(fetched(address))

    browser = threading.Thread(target=browse)
    with FakeBroker(accounts, answer) as broker:
        browser.start()
        assert accounts.run("login", "alice", "--method", "browser", *broker.here) == 0
        browser.join()
    assert "belongs to another sign-in" in pages[0] and "Go back to the terminal" in pages[1]
    assert ("POST", "code", {"code": f"{redirect}?code=right&state={STATE}"}) in broker.asked
    assert broker.asked[0] == ("POST", "sign-in", {"method": "Paste"})
    assert "The browser comes back to this machine by itself" in capsys.readouterr().err


def fetched(address: str) -> str:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - the test's own loopback address
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode())
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_port_that_is_taken_leaves_pasting(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        redirect = f"http://127.0.0.1:{taken.getsockname()[1]}/callback"
        signed_in(accounts, redirectURI=redirect)
        typed(monkeypatch, f"{redirect}?code=right&state={STATE}")
        genuine = vendor_page()
        with FakeBroker(accounts, lambda *asked: _redirected(genuine(*asked), redirect)) as broker:
            assert accounts.run("login", "alice", *broker.here) == 0
    assert "nothing can listen at 127.0.0.1:" in capsys.readouterr().err


def _redirected(answer: tuple[int, Any], redirect: str) -> tuple[int, Any]:
    return answer[0], answer[1] | ({"redirectURI": redirect} if "redirectURI" in answer[1] else {})


def test_a_device_code_is_shown_and_waited_for(
    accounts: Accounts, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    states = iter([pending("DeviceCode")] * 3)

    def answer(method: str, last: str, body: Any) -> tuple[int, Any]:
        return 200, next(states, over("Completed", "signed in", grantId=GRANT))

    with FakeBroker(accounts, answer) as broker:
        assert accounts.run("login", "alice", "--method", "device", *broker.here) == 0
    err = capsys.readouterr().err
    assert "Open https://vendor.example/device and type the code" in err and "WDJB-MJHT" in err
    assert "Only go on if you began this yourself." in err
    assert [method for method, _, _ in broker.asked] == ["POST", "GET", "GET", "GET"]


@pytest.mark.parametrize("state", ["Failed", "Expired"])
def test_a_sign_in_that_ends_badly_is_told_with_the_brokers_words(
    state: str, accounts: Accounts, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    with FakeBroker(
        accounts, lambda *_: (200, over(state, "declined at the vendor\x1b]0;owned\x07; begin again"))
    ) as broker:
        assert accounts.run("login", "alice", *broker.here) == 1
    err = capsys.readouterr().err
    assert f"{accounts.namespace}/alice is not signed in: declined at the vendor" in err and "begin again" in err
    assert "\x1b" not in err and "\x07" not in err


def test_interrupting_gives_the_sign_in_up(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with FakeBroker(accounts, lambda *_: (200, pending("DeviceCode"))) as broker:
        genuine = Console.of_process
        monkeypatch.setattr(Console, "of_process", lambda as_json: _with_sleep(genuine(as_json), interrupted))
        assert accounts.run("login", "alice", *broker.here) == 130
    assert broker.asked[-1] == ("DELETE", "sign-in", None)


def _with_sleep(made: Any, sleep: Callable[[float], None]) -> Any:
    return replace(made, sleep=sleep)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>\x1b[31mnonsense</html>", "the broker answers what this version does not know"),
        (b"[" * 50_000, "the broker answers what this version does not know"),
        (b"\xff" * 100, "the broker answers what this version does not know"),
        (b"{}", "the broker answers what this version does not know"),
        (b"x" * 70_000, "the broker answers more than 64 KiB"),
        (
            json.dumps(pending("Paste", authorizationUrl="file:///etc/passwd")).encode(),
            "names an address to sign in at that is no https:// address",
        ),
        (
            json.dumps(pending("Paste", authorizationUrl="https://vendor.example/\x1b[2J")).encode(),
            "names an address to sign in at that is no https:// address",
        ),
        (
            json.dumps(pending("DeviceCode", verificationURI="javascript:alert(1)")).encode(),
            "names an address to sign in at that is no https:// address",
        ),
    ],
)
def test_nonsense_from_the_broker_is_a_sentence(
    content: bytes, said: str, accounts: Accounts, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    with FakeBroker(accounts, lambda *_: (200, content)) as broker:
        assert accounts.run("login", "alice", *broker.here) == 1
    err = capsys.readouterr().err
    assert said in err and "\x1b" not in err and "passwd" not in err


@pytest.mark.parametrize("content", [b"\x1b[31mbad gateway", b'{"error": 3}', b'{"error": {"reason": "x"}}', b""])
def test_an_error_that_is_none_of_the_brokers_says_so(
    content: bytes, accounts: Accounts, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    with FakeBroker(accounts, lambda *_: (502, content)) as broker:
        assert accounts.run("login", "alice", *broker.here) == 1
    err = capsys.readouterr().err
    assert "HTTP 502, and nothing that a broker says" in err and "\x1b" not in err


def test_a_broker_that_does_not_lead_or_is_busy_is_waited_for(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in(accounts)
    typed(monkeypatch, "right")
    genuine, refused = vendor_page(), iter([1])

    def answer(method: str, last: str, body: Any) -> tuple[int, Any]:
        if next(refused, None):
            return 503, {"error": {"reason": "NotLeader", "message": "another one leads"}}
        return genuine(method, last, body)

    with FakeBroker(accounts, answer) as broker:
        assert accounts.run("login", "alice", *broker.here) == 0
    assert "waiting for the broker, at most 30 s: NotLeader, another one leads" in capsys.readouterr().err


def test_an_answer_that_is_lost_costs_no_sign_in(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first code goes down with its connection, taken or not: the sign-in tells which."""
    signed_in(accounts)
    typed(monkeypatch, "right")
    genuine, lost = vendor_page(), iter([1])

    def answer(method: str, last: str, body: Any) -> tuple[int, Any]:
        if last == "code" and next(lost, None):
            raise ConnectionAbortedError
        return genuine(method, last, body)

    with FakeBroker(accounts, answer) as broker:
        assert accounts.run("login", "alice", *broker.here) == 0
    assert [last for _, last, _ in broker.asked] == ["sign-in", "code", "sign-in", "code"]


class TestTheBrokerIsKnown:
    def test_another_authoritys_certificate_gets_no_key(
        self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._refused(accounts, monkeypatch, throwaway_tls().ca_pem)
        assert "its certificate is not the broker's" in capsys.readouterr().err

    def test_another_name_gets_no_key(
        self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tls = throwaway_tls(("localhost", "127.0.0.1"))
        self._refused(accounts, monkeypatch, tls.ca_pem, tls=tls)
        assert "its certificate is not the broker's" in capsys.readouterr().err

    def _refused(self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, ca_pem: str, **more: Any) -> None:
        monkeypatch.setattr(broker_module, "_PATIENCE_SECONDS", 0.0)
        signed_in(accounts)
        with FakeBroker(accounts, vendor_page(), **more) as broker:
            broker.publish(broker.url, ca_pem)
            assert accounts.run("login", "alice", *broker.here) == 1
        assert broker.asked == []

    def test_named_on_the_command_line_it_needs_a_certificate_for_that_host(
        self, accounts: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(broker_module, "_PATIENCE_SECONDS", 0.0)
        signed_in(accounts)
        with FakeBroker(accounts, vendor_page()) as broker:
            assert accounts.run("login", "alice", "--broker", broker.url) == 1
            assert "its certificate is not the broker's" in capsys.readouterr().err and broker.asked == []
            authority = tmp_path / "ca.pem"
            authority.write_text(broker.tls.ca_pem if broker.tls else "")
            typed(monkeypatch, "right")
            named = ("--broker", broker.url, "--ca-file", str(authority))
            assert accounts.run("login", "alice", *named, *broker.here) == 0

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "broker", "https://", "https://x:y", "https://user@host"])
    def test_what_is_no_address_of_one_is_refused(
        self, url: str, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        signed_in(accounts)
        assert accounts.run("login", "alice", "--broker", url) == 2
        assert "is no base URL of a broker" in capsys.readouterr().err
        assert names.ANNOTATION_SIGN_IN not in accounts.annotations()

    def test_without_a_head_the_way_to_name_it_is_told(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        signed_in(accounts)
        assert accounts.run("login", "alice", "--system-namespace", accounts.namespace) == 1
        err = capsys.readouterr().err
        assert "which says where the broker is, does not exist; name the fleet with --fleet" in err
        assert names.ANNOTATION_SIGN_IN not in accounts.annotations()

    def test_who_may_not_read_the_head_is_told_so(self, accounts: Accounts, capsys: pytest.CaptureFixture[str]) -> None:
        signed_in(accounts)
        fred = accounts.person("fred", subscriptionaccounts="get,patch,signin")
        assert accounts.run("login", "alice", "--system-namespace", accounts.namespace, kubeconfig=fred) == 1
        assert "you may not read ConfigMap" in capsys.readouterr().err

    def test_out_of_reach_the_way_is_through_the_api_server(
        self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """No node carries the pod here, so the API server's own refusal is what the person reads."""
        monkeypatch.setattr(broker_module, "_PATIENCE_SECONDS", 0.0)
        signed_in(accounts)
        operator_pod(accounts)
        (closed,) = free_ports(1)
        with FakeBroker(accounts, vendor_page()) as broker:
            broker.publish(f"https://127.0.0.1:{closed}")
            assert accounts.run("login", "alice", *broker.here) == 1
        err = capsys.readouterr().err
        assert f"https://127.0.0.1:{closed}: Connection refused" in err
        assert f"port-forward to pod {accounts.namespace}/operator-0: the API server does not get there: " in err
        assert '"nowhere" not found' in err

    @pytest.mark.parametrize(
        ("rights", "said"),
        [
            ({}, "you would have to list the operator's pods in namespace"),
            ({"pods": "list"}, "you would have to open a port-forward there (pods/portforward)"),
        ],
    )
    def test_who_may_not_go_through_the_api_server_is_told_so_at_once(
        self, rights: dict[str, str], said: str, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        signed_in(accounts)
        operator_pod(accounts)
        gina = accounts.person("gina", subscriptionaccounts="get,patch", configmaps="get", **rights)
        (closed,) = free_ports(1)
        with FakeBroker(accounts, vendor_page()) as broker:
            broker.publish(f"https://127.0.0.1:{closed}")
            assert accounts.run("login", "alice", *broker.here, kubeconfig=gina) == 1
        err = capsys.readouterr().err
        assert said in err and 'User "gina" cannot' in err and "waiting" not in err

    def test_through_the_api_server_it_is_the_same_broker_checked_the_same(
        self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        signed_in(accounts)
        operator_pod(accounts, node=f"node-{accounts.namespace}")
        typed(monkeypatch, "right")
        (closed,) = free_ports(1)
        with (
            FakeBroker(accounts, vendor_page()) as broker,
            KubeletThread(int(broker.url.rpartition(":")[2])) as kubelet,
        ):
            kubelet.register(accounts.cluster, f"node-{accounts.namespace}")
            broker.publish(f"https://127.0.0.1:{closed}")
            assert accounts.run("login", "alice", *broker.here) == 0
            assert kubelet.inside.forwarded == len(broker.asked) == 2
            monkeypatch.setattr(broker_module, "_PATIENCE_SECONDS", 0.0)
            broker.publish(f"https://127.0.0.1:{closed}", throwaway_tls().ca_pem)
            assert accounts.run("login", "alice", *broker.here) == 1
            assert len(broker.asked) == 2
        accounts.cluster.kubectl("delete", "node", f"node-{accounts.namespace}")
        assert (
            "port-forward to pod" in (err := capsys.readouterr().err) and "its certificate is not the broker's" in err
        )


def operator_pod(accounts: Accounts, node: str = "nowhere") -> None:
    container = {"name": "operator", "image": "example", "ports": [{"name": "broker", "containerPort": 8090}]}
    accounts.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "operator-0", "labels": {names.LABEL_COMPONENT: "operator"}},
            "spec": {"nodeName": node, "containers": [container]},
        },
        namespace=accounts.namespace,
    )
    status = json.dumps({"status": {"phase": "Running", "podIP": "127.0.0.1"}})
    where = ("pod/operator-0", "-n", accounts.namespace, "--subresource=status", "--type=merge")
    accounts.cluster.kubectl("patch", *where, f"--patch={status}")


class TestBeforeAnythingIsChanged:
    @pytest.mark.parametrize(
        ("oauth", "method", "said"),
        [
            (None, None, "has no spec.oauth, which says where and as which client to sign in"),
            ({"tokenEndpoint": OAUTH["tokenEndpoint"], "clientId": "x"}, None, "spec.oauth describes no sign-in; add"),
            (
                {k: v for k, v in OAUTH.items() if not k.startswith("device")},
                "device",
                "spec.oauth has no deviceAuthorizationEndpoint",
            ),
            (
                {k: OAUTH[k] for k in ("tokenEndpoint", "clientId", "deviceAuthorizationEndpoint")},
                "paste",
                "spec.oauth has no authorizationEndpoint",
            ),
        ],
    )
    def test_a_profile_that_offers_no_such_sign_in_is_told_by_its_field(
        self, oauth: Any, method: str | None, said: str, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts.account(**({} if oauth is None else {"oauth": oauth}))
        asked = () if method is None else ("--method", method)
        assert accounts.run("login", "alice", *asked) == 1
        assert said in capsys.readouterr().err

    def test_an_account_that_is_not_there_is_made_with_a_profile(
        self,
        accounts: Accounts,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        described = ("--provider", "anthropic", "--email", "alice@example.com", "--subject", "agent")
        assert accounts.run("login", "alice", *described) == 2
        assert "Name a file with its spec.oauth by --oauth-file" in capsys.readouterr().err
        profile = tmp_path / "oauth.json"
        profile.write_text(json.dumps(OAUTH))
        monkeypatch.setattr(login, "_SHOWN_SECONDS", 0.0)
        typed(monkeypatch, "right")
        with FakeBroker(accounts, vendor_page()) as broker:
            assert accounts.run("login", "alice", *described, "--oauth-file", str(profile), *broker.here) == 0
        assert accounts.alice()["spec"]["oauth"]["clientId"] == OAUTH["clientId"]


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://vendor.example/x?y=z", True),
        ("http://vendor.example/", False),
        ("file:///etc/passwd", False),
        ("https:///nobody", False),
        ("https://vendor.example/\n", False),
        ("https://vendor.example/\u202e", False),
        ("https://[::1", False),
        ("--help", False),
    ],
)
def test_only_web_pages_are_opened(url: str, fine: bool) -> None:
    assert login.safe(url) is fine
