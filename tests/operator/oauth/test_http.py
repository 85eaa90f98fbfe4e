"""The adapter on real sockets: what leaves the process, where to, and what is known when something breaks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from headgate_api.secret import Secret
from headgate_dev.emulator import Emulator, Fault, FaultKind, throwaway_tls
from headgate_dev.emulator.anthropic.vendor import Anthropic
from headgate_dev.emulator.oauth import Client as Registered
from headgate_dev.emulator.oauth import OAuthServer, WithOAuth
from headgate_operator.oauth import requests
from headgate_operator.oauth.answers import token_outcome
from headgate_operator.oauth.http import AnswerLost, NotSent, OAuthHttp
from headgate_operator.oauth.outcomes import Granted, Terminal
from headgate_operator.oauth.requests import Client, OAuthRequest

from .profiles import CLIENT_ID, profile

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Vendor:
    def __init__(self, emulator: Emulator, oauth: OAuthServer) -> None:
        self.emulator, self.oauth = emulator, oauth

    def client(self, **fields: Any) -> Client:
        ca = self.emulator.tls.ca_pem if self.emulator.tls else None
        return Client(profile(self.emulator.url, tls={"caBundle": ca}, **fields))

    def refresh_token(self) -> Secret:
        issued = self.oauth.grants.begin(CLIENT_ID, "s", NOW, self.emulator.credentials)
        assert issued.refresh_token is not None
        return Secret(issued.refresh_token)

    def request(self) -> OAuthRequest:
        return requests.refresh(self.client(), self.refresh_token())

    async def send(self, request: OAuthRequest, **options: Any) -> Any:
        given: dict[str, Any] = {"origins": {self.emulator.url}, "private_addresses": True} | options
        return await OAuthHttp(deadline_seconds=5).send(request, **given)


@pytest.fixture(scope="module")
def tls() -> Any:
    return throwaway_tls(("127.0.0.1",))


@pytest.fixture
async def vendor(tls: Any) -> AsyncIterator[Vendor]:
    oauth = OAuthServer(Registered(CLIENT_ID))
    async with Emulator(vendor=WithOAuth(Anthropic(), oauth), tls=tls) as emulator:
        yield Vendor(emulator, oauth)


async def test_a_refresh_goes_there_and_back(vendor: Vendor) -> None:
    request = vendor.request()
    granted = token_outcome(await vendor.send(request), NOW)
    assert isinstance(granted, Granted) and granted.refresh_token is not None
    assert isinstance(token_outcome(await vendor.send(request), NOW), Terminal)
    (first, _) = vendor.emulator.requests
    assert first.header("content-length") == str(len(first.body)) and first.header("transfer-encoding") is None
    assert first.header("cookie") is None


async def test_nothing_goes_to_an_origin_the_grant_is_not_bound_to(vendor: Vendor) -> None:
    with pytest.raises(NotSent, match=r"is not bound to https://127\.0\.0\.1"):
        await vendor.send(vendor.request(), origins={"https://elsewhere.example"})
    assert vendor.emulator.requests == []


async def test_private_addresses_need_an_allowance(vendor: Vendor) -> None:
    with pytest.raises(NotSent, match=r"allowances\.privateAddresses"):
        await vendor.send(vendor.request(), private_addresses=False)
    assert vendor.emulator.requests == []


async def test_an_unknown_authority_is_named_as_such_and_nothing_was_sent(vendor: Vendor) -> None:
    request = requests.refresh(Client(profile(vendor.emulator.url)), vendor.refresh_token())
    with pytest.raises(NotSent, match=r"name its authority in spec\.oauth\.tls\.caBundle"):
        await vendor.send(request)
    assert vendor.oauth.calls == []


async def test_a_vendor_that_is_not_there_was_sent_nothing(vendor: Vendor) -> None:
    request = vendor.request()
    await vendor.emulator.__aexit__()
    with pytest.raises(NotSent, match="cannot be reached"):
        await vendor.send(request)


@pytest.mark.parametrize("kind", [FaultKind.CUT_BEFORE_HEADERS, FaultKind.CUT])
async def test_an_answer_that_breaks_off_may_have_been_acted_on(vendor: Vendor, kind: FaultKind) -> None:
    vendor.emulator.add_fault(Fault(kind=kind))
    request = vendor.request()
    with pytest.raises(AnswerLost):
        await vendor.send(request)
    assert isinstance(token_outcome(await vendor.send(request), NOW), Terminal)


async def test_a_vendor_that_hangs_is_left_at_the_deadline(vendor: Vendor) -> None:
    hold = vendor.emulator.add_fault(Fault(kind=FaultKind.HOLD))
    with pytest.raises(AnswerLost, match="did not answer within"):
        await OAuthHttp(deadline_seconds=0.3).send(
            vendor.request(), origins={vendor.emulator.url}, private_addresses=True
        )
    vendor.emulator.release(hold)


async def test_an_endless_answer_is_cut(vendor: Vendor) -> None:
    big = Fault(kind=FaultKind.OAUTH_ERROR, message="x" * 400_000)
    vendor.emulator.add_fault(big)
    with pytest.raises(AnswerLost, match="longer than"):
        await vendor.send(vendor.request())


async def test_a_redirect_is_not_followed(vendor: Vendor) -> None:
    vendor.emulator.add_fault(Fault(kind=FaultKind.REDIRECT, location=f"{vendor.emulator.url}/oauth/token"))
    answer = await vendor.send(vendor.request())
    assert answer.status == 307
    assert len(vendor.emulator.requests) == 1


async def test_the_last_check_keeps_the_token_from_leaving(vendor: Vendor) -> None:
    class TooLateError(Exception):
        pass

    def check() -> None:
        raise TooLateError

    with pytest.raises(TooLateError):
        await vendor.send(vendor.request(), last_check=check)
    await asyncio.sleep(0)
    assert vendor.oauth.calls == []
    assert all(record.body == b"" for record in vendor.emulator.requests)


async def test_no_error_holds_the_token(vendor: Vendor) -> None:
    request = vendor.request()
    for kind in (FaultKind.CUT_BEFORE_HEADERS, FaultKind.CUT):
        vendor.emulator.add_fault(Fault(kind=kind))
        with pytest.raises(AnswerLost) as raised:
            await vendor.send(request)
        assert raised.value.__cause__ is None and raised.value.__context__ is None
        assert "refresh" not in str(raised.value)
