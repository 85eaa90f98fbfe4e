"""One request's way through its auth modes, up to the first byte: select, call, judge the answer, and go on or give up.

Everything here happens before the client has seen anything; after its first byte nothing is retried (guarantee 4).
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import aiohttp

from headgate_api.clock import Clock
from headgate_api.decisions import DECISIONS, Ending
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.snapshot import CredentialPointer
from headgate_proxy.callers.caller import Caller
from headgate_proxy.credentials.refreshing import DEADLINE_SECONDS, RefreshOutcome
from headgate_proxy.edge.drain import Drain
from headgate_proxy.edge.ports import Credentials, Refreshes, RequestTrace
from headgate_proxy.edge.presenting import Presenting
from headgate_proxy.edge.situating import Situating
from headgate_proxy.identity.requests import Reversal, Unsuitable
from headgate_proxy.identity.responses import Reverser, reverser
from headgate_proxy.identity.undoing import Irreversible
from headgate_proxy.protocols.failures import HEAD_BYTES
from headgate_proxy.refusal import ErrorType, Refusal
from headgate_proxy.routing.provider import Provider
from headgate_proxy.selection.explain import for_people, why_not
from headgate_proxy.selection.limits import Told
from headgate_proxy.selection.select import Candidate, select
from headgate_proxy.selection.states import Exhausted, Failure, Fallback, Selection
from headgate_proxy.selection.verdicts import Verdicts
from headgate_proxy.tracks.wire import Notes
from headgate_proxy.upstream.call import Call, UpstreamError, prepare, send
from headgate_proxy.upstream.masking import masked
from headgate_proxy.upstream.sessions import Sessions

_OURS = frozenset({401, 403})
"""Refusals of the gate's own credential: a client that saw one would ask its user to log in (S4.4)."""
_AUTH_FAILURES = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class Answered:
    """An upstream response whose head is there.

    ``head`` holds what was read of its body to judge it; ``ours``: it refuses the gate's own credential, whatever its status (a bad
    key is a 400 with Google). ``reverser`` takes an identity profile off the body on its way to the client, where one was put on
    the request.
    """

    selection: Selection
    response: aiohttp.ClientResponse
    head: bytes = b""
    ours: bool = False
    reverser: Reverser | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What attempts use and share with all other requests."""

    credentials: Credentials
    verdicts: Verdicts
    sessions: Sessions
    drain: Drain
    clock: Clock
    refreshes: Refreshes


@dataclass(slots=True)
class Attempts:
    """The attempts of one request."""

    around: Surroundings
    call: Call
    caller: Caller
    trace: RequestTrace
    _failed: dict[Candidate, SkipReason] = field(default_factory=dict)
    _renewed: set[Candidate] = field(default_factory=set)
    _announced: Fallback | None = None
    _auth_failed: bool = False
    _presenting: Presenting = field(init=False)
    _situating: Situating = field(init=False)
    _unsuited: dict[AuthMode, str] = field(default_factory=dict)
    _heard: Told | None = None
    _spent: bool = False

    def __post_init__(self) -> None:
        self._presenting = Presenting(self.call)
        self._situating = Situating(self.call, self.caller)

    @property
    def notes(self) -> Notes:
        """Return what happened on the way so far."""
        left = self._announced is not None and self._announced.to_mode is not None
        return Notes(self._auth_failed, left)

    async def answer(self) -> Answered | Refusal:
        """Return the response to pass on (its connection open), or the refusal to answer with."""
        last: Answered | UpstreamError | None = None
        while True:
            decision = await self._select()
            if self.around.drain.cutting or isinstance(decision, Exhausted):
                if isinstance(last, Answered) and not last.ours:
                    return last
                _discard(last)
                return self._refusal(decision, last)
            _discard(last)
            try:
                answered, failure = await self._attempt(decision)
            except UpstreamError as error:
                last, failure = error, Failure(SkipReason.UNREACHABLE, None)
            else:
                if failure is None:
                    return self._redirected(answered)
                last = answered
            try:
                await self._note(decision, failure)
            except BaseException:
                _discard(last)
                raise

    async def _select(self) -> Selection | Exhausted:
        around, decision = self.around, self._decision()
        if isinstance(decision, Selection):
            try:
                await self._presenting.make_ready(decision.mode)
            except Unsuitable as problem:
                self._unsuited[decision.mode] = str(problem)
                decision = self._decision()
        self.trace.selected(decision)
        fallback = decision.fallback if isinstance(decision, Selection) else decision.denied
        if fallback is not None and fallback != self._announced:
            self._announced = fallback
            self.trace.fell_back(fallback)
            if fallback.reason is not SkipReason.REQUEST_UNSUPPORTED:  # which is about the request, not about the mode
                around.verdicts.went(self.call.provider, fallback.from_mode, fallback)
        return decision

    def _decision(self) -> Selection | Exhausted:
        around = self.around
        situation = self._situating.now(around.credentials, around.verdicts, around.clock.now(), self._unfit)
        return select(self.call.provider, self.caller, situation, self._failed)

    @property
    def _unfit(self) -> Mapping[AuthMode, str]:
        return {**self.call.unfit, **self._unsuited} if self._unsuited else self.call.unfit

    async def _attempt(self, selection: Selection) -> tuple[Answered, Failure | None]:
        around, trace = self.around, self.trace
        with trace.upstream(selection):
            limit = around.drain.limit(self.call.provider.spec.timeouts.first_byte_seconds)
            dressed = self._presenting.of(selection.mode)
            prepared = prepare(self.call, selection, dressed, trace.traceparent)
            sent_at = around.clock.now()
            response = await send(around.sessions, self.call, prepared, sampled=trace.sampled, limit=limit)
        head, undo = b"", None
        if response.status < 400:
            undo = _undoing(response, dressed.reversal)
            around.verdicts.succeeded(selection.held, sent_at, self._told(selection, response))
        else:
            head = await self._read_head(response)
            failure = self.call.dialect.classify(response.status, head, response.headers, around.clock.now())
            head = masked(head, selection.held.secret)
            refused = failure is not None and _about_ours(response.status, failure)
            self._auth_failed |= refused or response.status in _AUTH_FAILURES
            if failure is not None:
                self._heard = self._told(selection, response)
                return Answered(selection, response, head, refused), failure
        if selection.fallback is None:
            around.verdicts.went(self.call.provider, selection.mode, None)
        return Answered(selection, response, head, reverser=undo), None

    def _told(self, selection: Selection, response: aiohttp.ClientResponse) -> Told | None:
        """Return what an answer says of a plan's limits; an API key has no other to choose from, and so costs no reading."""
        if selection.mode is not AuthMode.SUBSCRIPTION:
            return None
        windows = self.call.dialect.windows(response.headers, self.around.clock.now())
        return Told(windows) if windows else None

    async def _read_head(self, response: aiohttp.ClientResponse) -> bytes:
        head = bytearray()
        try:
            async with self.around.drain.limit(self.call.provider.spec.timeouts.idle_seconds):
                while len(head) < HEAD_BYTES and (piece := await response.content.readany()):
                    head += piece
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError):
            pass  # an error page that breaks off is judged by what came; whoever passes it on meets the break again
        except BaseException:
            response.close()
            raise
        return bytes(head)

    async def _note(self, selection: Selection, failure: Failure) -> None:
        """Remember a failure, unless there is a newer version of a credential that was refused: looked for once.

        Requests that come while a refresh is under way meet the old token too, and wait for the same refresh.
        """
        self.trace.failed(selection, failure)
        candidate = (selection.mode, selection.account)
        renewed, told = False, self._heard
        self._heard, self._spent = None, False
        try:
            if DECISIONS[failure.reason].renew and candidate not in self._renewed:
                self._renewed.add(candidate)
                renewed = await self._renew(selection)
        finally:
            if self._spent:
                failure = replace(failure, reason=SkipReason.REAUTHENTICATION_REQUIRED)
            if not renewed:
                self.around.verdicts.failed(selection.held, failure, told)
                self._failed[candidate] = failure.reason

    async def _renew(self, selection: Selection) -> bool:
        """Tell whether a newer version of the credential is held now: another request's, a refresh's, or one in Vault."""
        around, refused = self.around, selection.held
        pointer, refreshable = self._pointer(selection)
        if pointer is None:
            return False
        held = around.credentials.get(pointer)
        if held is None or held.version <= refused.version:
            if refreshable:
                await self._refresh(selection)
            held = await around.credentials.reread(pointer)
        return held is not None and held.version > refused.version

    async def _refresh(self, selection: Selection) -> None:
        try:
            async with self.around.drain.limit(DEADLINE_SECONDS):
                outcome = await self.around.refreshes.ask(selection.held.path, selection.held.version)
        except TimeoutError:
            outcome = RefreshOutcome.TIMED_OUT
        self._spent = outcome is RefreshOutcome.REAUTHENTICATION_REQUIRED
        self.trace.refresh_asked(selection, outcome)

    def _pointer(self, selection: Selection) -> tuple[CredentialPointer | None, bool]:
        """Return where a newer version could be, and whether the control plane can be asked for one."""
        provider = self.call.provider
        if selection.mode is AuthMode.API_KEY:
            pinned = provider.spec.auth.api_key is not None and provider.spec.auth.api_key.version is not None
            return (None if pinned else provider.api_key), False
        if selection.mode is AuthMode.WORKLOAD_IDENTITY:
            return provider.federated, True
        account = next((a for a in provider.accounts if a.name == selection.account), None)
        return (None, False) if account is None else (account.access, account.refreshable)

    def _redirected(self, last: Answered) -> Answered | Refusal:
        if not 300 <= last.response.status < 400:
            return last
        _discard(last)
        return Refusal(
            502,
            ErrorType.API,
            f"{_who(self.call.provider)} answered with a redirect ({last.response.status}), and Headgate follows none; set "
            "spec.endpoint to where the upstream really is",
            retry=False,
        )

    def _refusal(self, decision: Selection | Exhausted, last: Answered | UpstreamError | None) -> Refusal:
        if self.around.drain.cutting or isinstance(decision, Selection):
            return Refusal(503, ErrorType.OVERLOADED, "this proxy is stopping; send the request again")
        who, why = _who(self.call.provider), why_not(decision)
        if isinstance(last, UpstreamError):
            kind = ErrorType.TIMEOUT if last.timed_out else ErrorType.API
            return Refusal(504 if last.timed_out else 502, kind, f"{who}: {last}. {why}")
        if last is None and (unfit := _objections(decision, self._unfit)):
            return Refusal(
                400, ErrorType.INVALID_REQUEST, f"{who} cannot take this request: {unfit}. {why}", retry=False
            )
        if last is None:
            return Refusal(503, ErrorType.API, f"{who} has no usable credential. {why}", retry=not for_people(decision))
        message = f"{who} refused the gate's own credential ({last.response.status}). {why}"
        return Refusal(502, ErrorType.API, message, retry=False)


def _undoing(response: aiohttp.ClientResponse, reversal: Reversal | None) -> Reverser | None:
    """Return what takes the identity profile off an answer. Raises UpstreamError, with the response closed."""
    if reversal is None:
        return None
    content_type, encoding = response.headers.get("Content-Type", ""), response.headers.get("Content-Encoding")
    try:
        return reverser(reversal, content_type, encoding)
    except Irreversible as problem:
        response.close()
        raise UpstreamError(str(problem)) from None


def _objections(decision: Exhausted, problems: Mapping[AuthMode, str]) -> str:
    """Return what keeps the request from modes that would have taken another one."""
    modes = dict.fromkeys(s.mode for s in decision.skipped if s.reason is SkipReason.REQUEST_UNSUPPORTED)
    return "; ".join(problems[mode] for mode in modes)


def _about_ours(status: int, failure: Failure) -> bool:
    """Tell whether an answer refuses the gate's own credential, so that it must not pass for the caller's."""
    return status in _OURS or DECISIONS[failure.reason].ending is Ending.REFUSED


def _discard(last: Answered | UpstreamError | None) -> None:
    if isinstance(last, Answered):
        last.response.close()


def _who(provider: Provider) -> str:
    return f"LLMProvider {provider.label}"
