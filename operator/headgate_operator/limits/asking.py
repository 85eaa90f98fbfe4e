"""One question about one account's usage: everything it depends on is read afresh, and nothing is asked in vain.

The account's access token goes to the endpoint in the provider's spec, and only where its origin is one that the token is bound
to. A token that has expired, or that the vendor refuses, is not refreshed for this: the question waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from headgate_api.clock import Clock
from headgate_api.redaction import Redactor
from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_api.resources.auth import UsagePolling
from headgate_api.resources.base import seconds_of
from headgate_api.resources.limits import LimitObservation
from headgate_api.secret import Secret
from headgate_api.vault import AccessRecord, access_path
from headgate_operator.account.acknowledged import is_acknowledged
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.limits.answers import PARSERS, NotUsage, windows
from headgate_operator.limits.http import NotAsked, Question, UsageHttp
from headgate_operator.reading import Unreadable, read
from headgate_operator.refresh.subject import Subjects
from headgate_runtime.kube import Kube, KubeError, KubeUnavailable
from headgate_runtime.kube_kinds import LLM_PROVIDER
from headgate_runtime.vault import VaultError

_LONGEST_WAIT: Final = timedelta(hours=6)


class PollOutcome(StrEnum):
    """What a question came to; a label of the metric."""

    OBSERVED = "Observed"
    NOT_NEEDED = "NotNeeded"
    """The account is suspended, gone, not acknowledged, without a token that serves, or was heard of meanwhile."""
    NOT_SENT = "NotSent"
    """The endpoint is one that the token may not be sent to, or no answer came."""
    REFUSED = "Refused"
    """401 or 403."""
    RATE_LIMITED = "RateLimited"
    NOT_USAGE = "NotUsage"
    """Any other answer."""
    UNAVAILABLE = "Unavailable"
    """Vault or the API server does not answer."""


@dataclass(frozen=True, slots=True)
class Polled:
    """``problem``: for the log. ``wait``: the vendor's own wish."""

    outcome: PollOutcome
    problem: str | None = None
    wait: timedelta | None = None
    seen: LimitObservation | None = None


def asked_about(account: SubscriptionAccount, provider: LLMProvider | None) -> UsagePolling | None:
    """Return how an account's usage is asked for, or None where nobody may or can."""
    if provider is None or account.metadata.deletion_timestamp is not None or account.spec.suspend:
        return None
    if not is_acknowledged(account) or provider.spec.protocol not in PARSERS:
        return None
    subscription = provider.spec.auth.subscription
    return subscription.usage if subscription is not None else None


def interval_of(usage: UsagePolling) -> timedelta:
    """Return how long an account may be idle before it is asked about."""
    return timedelta(seconds=seconds_of(usage.interval))


def question_of(provider: LLMProvider, usage: UsagePolling, access: AccessRecord) -> Question:
    """Return the question in the vendor's own form; it presents itself as Headgate (B11)."""
    token = access.access_token.reveal()
    headers = {
        "authorization": Secret(f"Bearer {token}"),
        "accept": Secret("application/json"),
        "user-agent": Secret("headgate"),
    }
    if provider.spec.protocol == "Anthropic":
        headers |= {"anthropic-version": Secret("2023-06-01"), "anthropic-beta": Secret("oauth-2025-04-20")}
    elif access.account_id is not None:
        headers["chatgpt-account-id"] = Secret(access.account_id)
    return Question(usage.endpoint, headers, provider.spec.tls.ca_bundle if provider.spec.tls is not None else None)


class UsageAsker:
    """Asks; ``known`` returns what is known of a grant's limits by now."""

    def __init__(
        self,
        kube: Kube,
        subjects: Subjects,
        store: Store,
        http: UsageHttp,
        *,
        known: Callable[[str, str], LimitObservation | None],
        clock: Clock,
        redactor: Redactor,
    ) -> None:
        self._kube = kube
        self._subjects = subjects
        self._store = store
        self._http = http
        self._known = known
        self._clock = clock
        self._redactor = redactor

    async def ask(self, key: Key) -> Polled:
        """Return what became of a question about one account; raises nothing that is expected."""
        try:
            subject = await self._subjects.read(key)
            provider = await self._provider(subject.account) if subject is not None else None
            usage = asked_about(subject.account, provider) if subject is not None else None
            if subject is None or provider is None or usage is None:
                return Polled(PollOutcome.NOT_NEEDED)
            access = (await self._store.access(key.namespace, key.name)).record
        except (KubeError, KubeUnavailable, Unreadable, VaultError) as error:
            return Polled(PollOutcome.UNAVAILABLE, str(error))
        now = self._clock.now()
        if access is None or (access.expires_at is not None and access.expires_at <= now):
            return Polled(PollOutcome.NOT_NEEDED)
        self._redactor.remember(access.access_token)
        path = access_path(key.namespace, key.name)
        heard = self._known(path, access.grant_id)
        if heard is not None and now - heard.at < interval_of(usage):
            return Polled(PollOutcome.NOT_NEEDED)
        return await self._ask(question_of(provider, usage, access), provider, access, path, subject.private_addresses)

    async def _ask(
        self, question: Question, provider: LLMProvider, access: AccessRecord, path: str, private: bool
    ) -> Polled:
        try:
            answer = await self._http.ask(question, origins=access.origins, private_addresses=private)
        except NotAsked as why:
            return Polled(PollOutcome.NOT_SENT, str(why))
        if answer.status in (401, 403):
            return Polled(PollOutcome.REFUSED, f"the vendor answers {answer.status}")
        if answer.status == 429:
            return Polled(PollOutcome.RATE_LIMITED, "the vendor answers 429", _wait(answer.retry_after))
        if answer.status != 200:
            return Polled(PollOutcome.NOT_USAGE, f"the vendor answers {answer.status}")
        try:
            found = windows(provider.spec.protocol, answer.content)
        except NotUsage as error:
            return Polled(PollOutcome.NOT_USAGE, str(error))
        seen = LimitObservation(path=path, grant=access.grant_id, windows=found, at=self._clock.now())
        return Polled(PollOutcome.OBSERVED, seen=seen)

    async def _provider(self, account: SubscriptionAccount) -> LLMProvider | None:
        namespace, name = account.metadata.namespace, account.spec.provider_ref.name
        body = await self._kube.get(LLM_PROVIDER, namespace, name)
        return read(LLMProvider, body) if body is not None else None


def _wait(retry_after: str | None) -> timedelta | None:
    if retry_after is None or not retry_after.isdecimal() or len(retry_after) > 9:
        return None
    return min(timedelta(seconds=int(retry_after)), _LONGEST_WAIT)
