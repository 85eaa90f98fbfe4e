"""How each auth mode of a provider stands: can it serve, and if not, why and what to do."""

from dataclasses import dataclass

from headgate_api import decisions
from headgate_api.reasons import AuthMode, ConditionReason, ConditionType, SkipReason
from headgate_api.report import CredentialObservation
from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_api.resources.base import Condition
from headgate_operator.provider.identity import undecided


@dataclass(frozen=True, slots=True)
class ModeState:
    """One mode. ``usable`` None: not known while Vault is away, though proxies go on with what they have."""

    mode: AuthMode
    usable: bool | None
    reason: ConditionReason | str
    message: str


def lasting(verdict: CredentialObservation | None) -> SkipReason | None:
    """Return why the upstream refuses a credential for good, or None."""
    if verdict is None or verdict.valid or verdict.reason is None or not decisions.lasting(verdict.reason):
        return None
    return verdict.reason


def selected(provider: LLMProvider, accounts: tuple[SubscriptionAccount, ...]) -> tuple[SubscriptionAccount, ...]:
    """Return the accounts that the provider's selector takes, by name."""
    wanted = provider.spec.auth.subscription.account_selector if provider.spec.auth.subscription else {}
    return tuple(
        sorted((a for a in accounts if wanted.items() <= a.metadata.labels.items()), key=lambda a: a.metadata.name)
    )


def ready_condition(account: SubscriptionAccount) -> Condition | None:
    """Return an account's Ready condition, where its own reconciler has written one."""
    return next((c for c in account.status.conditions if c.type == ConditionType.READY), None)


def is_usable(condition: Condition | None) -> bool:
    """Tell from an account's Ready condition whether it could serve; one that only waits for its rollout could."""
    return condition is not None and (condition.status == "True" or condition.reason == ConditionReason.IN_ROLLOUT)


def subscription_state(provider: LLMProvider, accounts: tuple[SubscriptionAccount, ...]) -> ModeState:
    """Return the state of the Subscription mode from the accounts selected for it."""
    mode, auth = AuthMode.SUBSCRIPTION, provider.spec.auth.subscription
    if auth is not None and auth.undecided:
        return ModeState(mode, False, SkipReason.IDENTITY_NOT_ACKNOWLEDGED.value, undecided(auth))
    if not accounts:
        return ModeState(
            mode,
            False,
            SkipReason.NO_ACCOUNT.value,
            "no SubscriptionAccount of this namespace is selected; create one whose spec.providerRef names this provider",
        )
    waiting = []
    ready = 0
    for account in accounts:
        condition = ready_condition(account)
        if is_usable(condition):
            ready += 1
        else:
            waiting.append(f"{account.metadata.name} ({condition.reason if condition else ConditionReason.PENDING})")
    others = f"; not ready: {', '.join(waiting)}" if waiting else ""
    if ready:
        return ModeState(mode, True, ConditionReason.VALID, f"{ready} of {len(accounts)} accounts ready{others}")
    first = ready_condition(accounts[0])
    reason = first.reason if first is not None and len(accounts) == 1 else SkipReason.NO_ACCOUNT.value
    return ModeState(mode, False, reason, f"no account is ready{others}; see each account's Ready condition")
