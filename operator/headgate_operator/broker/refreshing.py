"""``POST /v1/refresh``: a proxy whose upstream refuses an access token asks for a newer one; N askers cause one refresh.

The token is an account's, or the one that a provider's workload identity was exchanged for.

200 names the version to read from Vault. 409 says that asking again is of no use before somebody mends what ``reason`` and
``message`` name; 503 that it is, after ``Retry-After`` seconds. Proxies then fall back as their table says.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web
from pydantic import ValidationError

from headgate_api.clock import Clock
from headgate_api.reasons import ConditionReason
from headgate_api.refresh import RefreshAnswer, RefreshRequest
from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.resources.base import problem_of
from headgate_api.vault import AccessRecord, FederatedRecord, access_path
from headgate_operator.broker.authentication import Authenticator, Refused, authorize
from headgate_operator.broker.errors import error_answer
from headgate_operator.credentials.store import Store, Stored
from headgate_operator.engine.keys import Key
from headgate_operator.federation.memory import Memory
from headgate_operator.federation.settings import FEDERATED, provider_of
from headgate_operator.reading import Unreadable, read
from headgate_operator.refresh.executor import Renewed, Result
from headgate_operator.refresh.verdict import Rest, token_origin
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable
from headgate_runtime.kube_kinds import LLM_PROVIDER, PROXY_FLEET, SUBSCRIPTION_ACCOUNT
from headgate_runtime.vault import VaultError

WAIT_SECONDS: Final = 45.0
"""How long a proxy is kept waiting: longer than a vendor may take."""
_READ_SECONDS: Final = 5.0
_NAME: Final = "([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)"
_ACCESS: Final = re.compile(f"{_NAME}/{SubscriptionAccount.PLURAL}/{_NAME}/access")
_FEDERATED: Final = re.compile(f"{_NAME}/{LLMProvider.PLURAL}/{_NAME}/federated/([0-9a-f]{{8,64}})")
_SOON_SECONDS: Final = 5


class Refreshes(Protocol):
    """``Refresher``, or what stands in for it."""

    async def ask(self, key: Key, origin: str, refused: int | None) -> Result:
        """Return what a refresh comes to that all who wait for it share."""


class RefreshEndpoint:
    """The handler to mount at ``REFRESH_PATH``; ``namespace`` is the operator's own, where its fleets are."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        refreshes: Refreshes,
        authenticator: Authenticator,
        memory: Memory,
        *,
        namespace: str,
        leads: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """``memory`` knows the settings of federated tokens."""
        self._memory = memory
        self._kube = kube
        self._store = store
        self._refreshes = refreshes
        self._authenticator = authenticator
        self._namespace = namespace
        self._leads = leads
        self._clock = clock

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one proxy."""
        try:
            answer = await self._answer(request)
        except Refused as refused:
            return error_answer(refused.status, refused.reason, refused.message)
        except (KubeError, KubeUnavailable):
            return error_answer(503, "Unavailable", "the API server does not answer the operator now", _SOON_SECONDS)
        except VaultError as error:
            return error_answer(503, "VaultUnavailable", str(error), _SOON_SECONDS)
        except TimeoutError:
            return error_answer(503, "Refreshing", "the refresh goes on; ask again for its outcome", _SOON_SECONDS)
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        self._must_lead()
        caller = await self._authenticator.caller(request.headers.get("authorization", ""))
        asked = await _read(request)
        authorize(caller, namespace=self._namespace, fleet=asked.fleet, pod=asked.pod)
        token = _token_at(asked.path)
        await self._must_serve(asked.fleet, token.key)
        origin = await self._origin(token.key)
        refused = asked.generation
        if refused is None:
            stored = await self._stored(token)
            if stored.record is None:
                raise Refused(409, "CredentialNotFound", f"Vault holds no access token at {asked.path}")
            if asked.version is not None and stored.version > asked.version:
                record = stored.record
                return self._renewed(asked.path, Renewed(record.generation, stored.version, record.expires_at))
            refused = stored.record.generation
        async with asyncio.timeout(WAIT_SECONDS):
            result = await self._refreshes.ask(token.key, origin, refused)
        self._must_lead()
        return self._renewed(asked.path, result) if isinstance(result, Renewed) else self._resting(result)

    def _must_lead(self) -> None:
        if not self._leads():
            raise Refused(503, "NotLeader", "this operator does not lead; ask the broker that the head names")

    async def _must_serve(self, fleet: str, key: Key) -> None:
        body = await self._kube.get(PROXY_FLEET, self._namespace, fleet)
        try:
            found = read(ProxyFleet, body) if body is not None else None
        except Unreadable:
            found = None
        if found is None or not found.spec.serves(key.namespace):
            raise Refused(403, "Forbidden", f"fleet {fleet} does not serve namespace {key.namespace}")

    async def _stored(self, token: "_Token") -> Stored[AccessRecord] | Stored[FederatedRecord]:
        if token.key.kind == FEDERATED:
            return await self._store.federated(token.path)
        return await self._store.access(token.key.namespace, token.key.name)

    async def _origin(self, key: Key) -> str:
        """Return the token endpoint's origin."""
        if key.kind == FEDERATED:
            return await self._federation_origin(key)
        body = await self._kube.get(SUBSCRIPTION_ACCOUNT, key.namespace, key.name)
        if body is None:
            raise Refused(404, "NotFound", f"SubscriptionAccount {key.namespace}/{key.name} does not exist")
        try:
            profile = read(SubscriptionAccount, body).spec.oauth
        except Unreadable as error:
            raise Refused(409, ConditionReason.SPEC_INVALID, str(error)) from None
        origin = token_origin(profile) if profile is not None else None
        if origin is None:
            text = f"SubscriptionAccount {key.namespace}/{key.name} has no spec.oauth, so its token cannot be refreshed"
            raise Refused(409, ConditionReason.NO_OAUTH_PROFILE, text)
        return origin

    async def _federation_origin(self, key: Key) -> str:
        provider = provider_of(key)
        if await self._kube.get(LLM_PROVIDER, provider.namespace, provider.name) is None:
            raise Refused(404, "NotFound", f"{provider.kind} {provider.namespace}/{provider.name} does not exist")
        federation = self._memory.federation(key)
        if federation is None:
            text = f"no form of {provider} that this operator knows of wants this token; it may have begun to lead just now"
            raise Refused(503, ConditionReason.PENDING, text)
        return federation.token_origin

    def _renewed(self, path: str, result: Renewed) -> web.Response:
        if result.version is None:
            return error_answer(503, "Refreshing", "new tokens are stored and about to be published", 1)
        answer = RefreshAnswer(
            path=path, version=result.version, generation=result.generation, expires_at=result.expires_at
        )
        return web.json_response(answer.to_wire())

    def _resting(self, rest: Rest) -> web.Response:
        """Say that there is no newer token: for good (409), or for now (503)."""
        again = None if rest.until is None else (rest.until - self._clock.now()).total_seconds()
        if rest.healthy is False:
            return error_answer(409, rest.reason, rest.message, again, rest.until)
        return error_answer(503, rest.reason, rest.message, _SOON_SECONDS if again is None else again, rest.until)


@dataclass(frozen=True, slots=True)
class _Token:
    key: Key
    path: str


def _token_at(path: str) -> _Token:
    if (found := _ACCESS.fullmatch(path)) is not None and access_path(found[1], found[2]) == path:
        return _Token(Key(SubscriptionAccount.KIND, found[1], found[2]), path)
    if (found := _FEDERATED.fullmatch(path)) is not None:
        return _Token(Key(FEDERATED, found[1], f"{found[2]}/{found[3]}"), path)
    raise Refused(
        400, "Invalid", "path: name the access token of a SubscriptionAccount or LLMProvider, as the snapshot does"
    )


async def _read(request: web.Request) -> RefreshRequest:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            content = await request.read()
        asked = RefreshRequest.model_validate(json.loads(content))
    except TimeoutError:
        raise Refused(408, "TooSlow", f"the body did not arrive within {_READ_SECONDS:.0f} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, "TooLarge", "the body is too long") from None
    except ValidationError as error:
        raise Refused(400, "Invalid", problem_of(error)) from None
    except (ValueError, RecursionError):
        raise Refused(400, "Invalid", "the body is not JSON") from None
    if asked.version is None and asked.generation is None:
        raise Refused(400, "Invalid", "version: name the version (or the generation) of the token that was refused")
    return asked
