"""Asks the broker for a newer access token when an upstream refuses one; those who ask at once share one question.

The broker only names a version: the token itself is read from Vault. Whatever keeps the broker from answering within
``DEADLINE_SECONDS`` is an outcome, never an error: the request then falls back as its table says.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import aiohttp

from headgate_api.reasons import SkipReason
from headgate_api.redaction import Redactor
from headgate_api.refresh import REFRESH_PATH, RefreshAnswer, RefreshRequest
from headgate_proxy.report.broker import Broker, Untrusted, broker_token
from headgate_runtime.logs import describe

DEADLINE_SECONDS: Final = 5.0
"""How long a request may wait for a refresh before it goes on without; the refresh itself goes on."""
_MOST_BYTES: Final = 16 * 1024

_log = logging.getLogger(__name__)


class RefreshOutcome(StrEnum):
    """What asking came to; a label of the metric and of the span's event."""

    RENEWED = "Renewed"
    """Vault holds a newer version."""
    REFUSED = "Refused"
    """Asking again is of no use before somebody mends something: the account's conditions say what."""
    REAUTHENTICATION_REQUIRED = "ReauthenticationRequired"
    """The refresh token is spent, reused or revoked: the account's owner must sign in again."""
    LATER = "Later"
    """Not now: under way, backing off, or this operator does not lead."""
    TIMED_OUT = "TimedOut"
    UNAVAILABLE = "BrokerUnavailable"
    UNTRUSTED = "BrokerUntrusted"
    NO_BROKER = "NoBroker"
    """The head names none."""


class Refreshing:
    """Implements ``edge.ports.Refreshes`` by the broker's ``POST /v1/refresh``."""

    def __init__(
        self,
        broker: Callable[[], Broker | None],
        token_file: Path,
        redactor: Redactor,
        *,
        fleet: str,
        pod: str,
        asked: Callable[[RefreshOutcome], None],
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """``asked`` is called once per question that was put to the broker (a metric)."""
        self._broker = broker
        self._token_file = token_file
        self._redactor = redactor
        self._fleet = fleet
        self._pod = pod
        self._asked = asked
        self._deadline = aiohttp.ClientTimeout(total=deadline_seconds)
        self._under_way: dict[tuple[str, int], asyncio.Future[RefreshOutcome | None]] = {}

    async def ask(self, path: str, version: int) -> RefreshOutcome:
        """Say that an upstream refuses this version of an access token; return when the broker has answered.

        Raises nothing. When the request that asked for all leaves, the next one asks again: the broker shares the refresh.
        """
        key = path, version
        while (under_way := self._under_way.get(key)) is not None:
            outcome = await asyncio.shield(under_way)
            if outcome is not None:
                return outcome
        done: asyncio.Future[RefreshOutcome | None] = asyncio.get_running_loop().create_future()
        self._under_way[key] = done
        outcome = None
        try:
            outcome = await self._outcome(path, version)
        finally:
            del self._under_way[key]
            done.set_result(outcome)
        self._asked(outcome)
        return outcome

    async def _outcome(self, path: str, version: int) -> RefreshOutcome:
        broker = self._broker()
        if broker is None:
            return RefreshOutcome.NO_BROKER
        try:
            return await self._post(broker, path, version)
        except TimeoutError as error:
            return self._trouble(RefreshOutcome.TIMED_OUT, path, error)
        except (Untrusted, aiohttp.ClientConnectorCertificateError) as error:
            return self._trouble(RefreshOutcome.UNTRUSTED, path, error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self._trouble(RefreshOutcome.UNAVAILABLE, path, error)

    async def _post(self, broker: Broker, path: str, version: int) -> RefreshOutcome:
        context = broker.trusted()
        token = broker_token(self._token_file)
        self._redactor.remember(token)
        question = RefreshRequest(fleet=self._fleet, pod=self._pod, path=path, version=version)
        async with (
            aiohttp.ClientSession(
                timeout=self._deadline, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            ) as session,
            session.post(
                broker.url + REFRESH_PATH,
                data=question.model_dump_json(by_alias=True),
                headers={"authorization": f"Bearer {token.reveal()}", "content-type": "application/json"},
                allow_redirects=False,
                ssl=context,
                server_hostname=broker.server_name,  # a leader is reached by its address
            ) as answer,
        ):
            body = await answer.content.read(_MOST_BYTES)
            if answer.status == 200:
                newest = RefreshAnswer.model_validate_json(body)
                return RefreshOutcome.RENEWED if newest.version > version else RefreshOutcome.LATER
            _log.warning(
                "the broker has no newer token",
                extra={
                    "path": path,
                    "status": answer.status,
                    "problem": self._redactor.redact(body[:500].decode(errors="replace")),
                },
            )
            if answer.status == 409 and _reason(body) == SkipReason.REAUTHENTICATION_REQUIRED:
                return RefreshOutcome.REAUTHENTICATION_REQUIRED
            final = 400 <= answer.status < 500 and answer.status not in (408, 429)
            return RefreshOutcome.REFUSED if final else RefreshOutcome.LATER

    def _trouble(self, outcome: RefreshOutcome, path: str, error: Exception) -> RefreshOutcome:
        problem = describe(self._redactor, error)
        _log.warning(
            "the broker could not be asked for a refresh", extra={"path": path, "reason": outcome, "problem": problem}
        )
        return outcome


def _reason(body: bytes) -> object:
    """Return the reason that the broker's error names."""
    try:
        return json.loads(body)["error"]["reason"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class NoRefreshes:
    """Where nobody refreshes: what Vault holds is all there is."""

    async def ask(self, path: str, version: int) -> RefreshOutcome:
        """Return NO_BROKER."""
        return RefreshOutcome.NO_BROKER
