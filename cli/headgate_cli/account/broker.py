"""The broker's side of a sign-in as the command sees it (headgate_api.signin): begin, look, hand in the code, give up."""

import contextlib
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from headgate_api.secret import Secret
from headgate_api.signin import SIGN_IN_CODE_PATH, SIGN_IN_PATH, Method, SignInCode, SignInRequest, SignInState
from headgate_cli.account.reach import Connection, Route, Unreached
from headgate_cli.console import Console, Refusal
from headgate_cli.view.style import sentence
from headgate_runtime.kube_errors import KubeUnavailable

MAX_ANSWER_BYTES: Final = 64 * 1024
_PATIENCE_SECONDS: Final = 30.0
"""How long a broker may be away: another operator takes the lead within that time, and goes on with the sign-in."""
_AGAIN_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 45.0
"""The broker asks the vendor before it answers, who may take half a minute."""
_BRINGS: Final = 3
_NOT_LEADER: Final = "NotLeader"


class Refused(Refusal):
    """The broker says no: ``reason`` is its CamelCase word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"the broker refuses, {sentence(reason)}: {sentence(message)}")
        self.reason = reason


class Lost(Exception):  # noqa: N818 - a state
    """The request went out, and its answer did not come: the broker may have taken it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over one connection."""

    status: int
    content: bytes

    @property
    def error(self) -> tuple[str, str]:
        """Return reason and message of an error, as far as it is one of the broker's."""
        try:
            error = json.loads(self.content)["error"]
            return str(error["reason"]), str(error["message"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return "NoBroker", f"HTTP {self.status}, and nothing that a broker says; is the address right?"


class Broker:
    """One account's sign-in. ``locate`` returns the way to the broker as it is now: who leads may change meanwhile."""

    def __init__(self, locate: Callable[[], Route], namespace: str, name: str, key: Secret, console: Console) -> None:
        self._locate = locate
        self._route: Route | None = None
        self._path = SIGN_IN_PATH.format(namespace=namespace, name=name)
        self._code_path = SIGN_IN_CODE_PATH.format(namespace=namespace, name=name)
        self._key = key
        self._console = console

    def begin(self, method: Method | None) -> SignInState:
        """Begin a sign-in. Raises Refusal."""
        return self._state(self._patiently("POST", self._path, SignInRequest(method=method).to_wire()))

    def look(self) -> SignInState:
        """Return the sign-in as it stands. Raises Refusal."""
        return self._state(self._patiently("GET", self._path))

    def bring(self, code: str) -> SignInState:
        """Hand in the code that the vendor gave. Raises Refused, Refusal.

        Where the answer is lost, the sign-in tells whether the code was taken: it is redeemed once, however often it is brought.
        """
        for _ in range(_BRINGS):
            try:
                return self._state(
                    self._patiently("POST", self._code_path, SignInCode(code=code).to_wire(), again=False)
                )
            except Lost:
                state = self.look()
                if state.state != "Pending" or state.authorization_url is None:
                    return state
        raise Refusal("the code does not reach the broker: its answers are lost on the way; begin again")

    def give_up(self) -> None:
        """Give the sign-in up, as far as the broker can be told so: it expires in any case."""
        with contextlib.suppress(Refusal, Unreached, Lost, KubeUnavailable):
            self._once("DELETE", self._path, None)

    def _patiently(self, method: str, path: str, body: Any = None, *, again: bool = True) -> Answer:
        """Ask until the broker answers. ``again`` False: not a second time where it may have taken the first. Raises Lost."""
        begun, told = self._console.clock.monotonic(), False
        while True:
            try:
                answer = self._once(method, path, body)
                if answer.status != 503:
                    return answer
                why = ", ".join(answer.error)
            except Lost as error:
                if not again:
                    raise
                why = str(error)
            except (Unreached, KubeUnavailable) as error:
                why = str(error)
            if self._console.clock.monotonic() - begun >= _PATIENCE_SECONDS:
                raise Refusal(f"the broker does not answer within {_PATIENCE_SECONDS:g} s: {sentence(why)}")
            if not told:
                self._console.warn(f"waiting for the broker, at most {_PATIENCE_SECONDS:g} s: {sentence(why)}")
                told = True
            self._console.sleep(_AGAIN_SECONDS)

    def _once(self, method: str, path: str, body: Any) -> Answer:
        """Ask by each way until somebody answers who can. Raises Unreached, Lost, KubeUnavailable, Refusal."""
        answer: Answer | None = None
        route, self._route = self._route or self._locate(), None
        try:
            for connection in route.connections(_SILENT_SECONDS):
                with contextlib.closing(connection):
                    answer = self._exchange(connection, route.address.server_name, method, path, body)
                if answer.status != 503:
                    self._route = route.as_found(connection)
                if answer.error[0] != _NOT_LEADER or answer.status != 503:
                    return answer
        except Unreached:
            if answer is None:
                raise
        if answer is None:
            raise Unreached("there is no way to it")
        return answer

    def _exchange(self, connection: Connection, host: str, method: str, path: str, body: Any) -> Answer:
        client = http.client.HTTPConnection(host)
        client.sock = connection  # all that it asks of one is there
        headers = {"Authorization": f"Bearer {self._key.reveal()}", "Accept": "application/json", "Connection": "close"}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            client.request(method, path, body=content, headers=headers)
            response = client.getresponse()
            data = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Lost(f"the answer did not come: {type(error).__name__}") from None
        if len(data) > MAX_ANSWER_BYTES:
            raise Refusal(
                f"the broker answers more than {MAX_ANSWER_BYTES // 1024} KiB, which no broker does; is the address right?"
            )
        return Answer(response.status, data)

    def _state(self, answer: Answer) -> SignInState:
        if answer.status >= 300:
            raise Refused(*answer.error)
        try:
            return SignInState.model_validate(json.loads(answer.content))
        except (ValidationError, ValueError, RecursionError):
            raise Refusal(
                "the broker answers what this version does not know; use the headgate of the installed version, and see whether "
                "the address is right"
            ) from None
