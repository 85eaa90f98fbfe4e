"""Sign-in for the command line: ``POST``, ``GET`` and ``DELETE`` of an account's sign-in, and ``POST`` of the code.

Every answer is a SignInState or ``{"error": {"reason", "message"}}``. All replicas answer. 401: no key. 403: a key that is not
of this account's latest sign-in. 404: nothing was begun with it. 409: the account, or what was done before, does not allow it.
410: too late. 503: Vault, the API server or the vendor is away; ask again.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from headgate_api.signin import SIGN_IN_CODE_PATH, SIGN_IN_PATH, SignInCode, SignInRequest, SignInState
from headgate_operator.broker.authentication import Refused
from headgate_operator.broker.errors import error_answer
from headgate_operator.engine.work import Stopping
from headgate_operator.reading import Unreadable
from headgate_operator.signin.bodies import read_model
from headgate_operator.signin.signins import SignIns
from headgate_runtime.kube import KubeError, KubeUnavailable
from headgate_runtime.vault import VaultError

_SOON_SECONDS: Final = 5
_log = logging.getLogger(__name__)


class SignInEndpoint:
    """The routes to mount on the broker."""

    def __init__(self, sign_ins: SignIns) -> None:
        self._sign_ins = sign_ins

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount."""
        return [
            web.post(SIGN_IN_PATH, self._answering(self._begin)),
            web.get(SIGN_IN_PATH, self._answering(self._tell), allow_head=False),
            web.delete(SIGN_IN_PATH, self._answering(self._give_up)),
            web.post(SIGN_IN_CODE_PATH, self._answering(self._bring)),
        ]

    async def _begin(self, request: web.Request, key: str, namespace: str, name: str) -> SignInState:
        asked = await read_model(request, SignInRequest)
        return await self._sign_ins.begin(key, namespace, name, asked.method)

    async def _tell(self, _: web.Request, key: str, namespace: str, name: str) -> SignInState:
        return await self._sign_ins.tell(key, namespace, name)

    async def _bring(self, request: web.Request, key: str, namespace: str, name: str) -> SignInState:
        brought = await read_model(request, SignInCode)
        return await self._sign_ins.bring(key, namespace, name, brought.code)

    async def _give_up(self, _: web.Request, key: str, namespace: str, name: str) -> None:
        await self._sign_ins.give_up(key, namespace, name)

    def _answering(
        self, handle: Callable[[web.Request, str, str, str], Awaitable[SignInState | None]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answering(request: web.Request) -> web.Response:
            namespace, name = request.match_info["namespace"], request.match_info["name"]
            try:
                state = await handle(request, request.headers.get("authorization", ""), namespace, name)
            except Exception as error:
                answer = refusal(error)
            else:
                answer = web.Response(status=204) if state is None else web.json_response(state.to_wire())
            answer.headers["cache-control"] = "no-store"
            return answer

        return answering


def refusal(error: Exception) -> web.Response:
    """Return the answer to what went wrong; what nobody foresaw is logged, and not shown."""
    match error:
        case Refused():
            return error_answer(
                error.status, error.reason, error.message, _SOON_SECONDS if error.status == 503 else None
            )
        case Stopping():
            return error_answer(503, "Stopping", "this operator stops; try again in some seconds", _SOON_SECONDS)
        case Unreadable():
            return error_answer(409, "SpecInvalid", str(error))
        case KubeError() | KubeUnavailable():
            return error_answer(503, "Unavailable", "the API server does not answer the operator now", _SOON_SECONDS)
        case VaultError():
            return error_answer(503, "VaultUnavailable", str(error), _SOON_SECONDS)
        case _:
            _log.exception("A sign-in failed in an unforeseen way", exc_info=error)
            return error_answer(500, "Internal", "the sign-in failed in an unforeseen way; see the operator's log")
