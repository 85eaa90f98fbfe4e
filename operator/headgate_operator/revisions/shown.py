"""What a guarded object says of itself: the condition Stable, in sentences that tell what moves it on."""

from dataclasses import replace

from headgate_api import names
from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import SubscriptionAccount
from headgate_api.resources.base import Observation
from headgate_api.revisions import ProviderBundle
from headgate_api.snapshot import AccountForm
from headgate_operator.revisions.bundles import Form, account_form, same_account
from headgate_operator.revisions.guard import Guard, State


def stable_condition(guard: Guard) -> Observation | None:
    """Return the condition Stable of a provider or fleet; None where no policy guards it: that needs no saying."""
    if guard.state is State.UNGUARDED:
        return None
    if guard.state is State.HELD:
        return _no(ConditionReason.CANDIDATE_HELD, _held(guard))
    named = f"RolloutPolicy {guard.policy_key}"
    if guard.state is State.UNADOPTED:
        return _no(ConditionReason.PENDING, f"{named} has yet to secure what is served now")
    if guard.stable is not None and guard.at_rest:
        return Observation(
            ConditionType.STABLE,
            True,
            ConditionReason.PROMOTED,
            f"stable traffic runs on revision {guard.stable.revision}, which is what spec asks for; {named} guards it",
        )
    return _no(*_not_promoted(guard, named))


def account_condition(guard: Guard, account: SubscriptionAccount) -> Observation | None:
    """Return the condition Stable of an account, from the guard of its provider."""
    if guard.state is not State.GUARDED or guard.at_rest:
        return stable_condition(guard)
    kept = account_in(guard.stable, account)
    if kept is not None and same_account(kept, account_form(account)):
        text = f"stable traffic runs on this account as spec asks for; RolloutPolicy {guard.policy_key} guards it"
        return Observation(ConditionType.STABLE, True, ConditionReason.PROMOTED, text)
    return stable_condition(guard)


def programmed_as(programmed: Observation, guard: Guard) -> Observation:
    """Return Programmed in words that do not claim a generation which stable traffic does not run on yet."""
    if programmed.status is not True or guard.at_rest:
        return programmed
    return replace(programmed, message=f"proxies hold what is stable now; {_goes_on(guard)}")


def account_in(form: Form | None, account: SubscriptionAccount) -> AccountForm | None:
    """Return the form of an account that a provider's form holds."""
    if form is None or not isinstance(form.bundle, ProviderBundle):
        return None
    return form.bundle.accounts.get(account.metadata.name)


def _not_promoted(guard: Guard, named: str) -> tuple[ConditionReason, str]:
    goes_on = _goes_on(guard)
    if guard.live is None:
        return ConditionReason.IN_ROLLOUT, f"{named} waits until the new spec's credentials are known; {goes_on}"
    status = guard.policy.status if guard.policy is not None else None
    if status is not None and status.rollout is None and status.rejected is not None:
        return ConditionReason.CANDIDATE_HELD, (
            f"{named} withdrew revision {guard.live}; {goes_on}. Change the spec, or see the policy's status.history and "
            f"annotate the policy {names.ANNOTATION_RELEASE}={status.rejected} to try again"
        )
    return ConditionReason.IN_ROLLOUT, (
        f"{named} brings revision {guard.live} to traffic step by step (see its status); {goes_on}"
    )


def _held(guard: Guard) -> str:
    live = guard.live or "<revision>, once its credentials are known"
    return (
        f"no RolloutPolicy names this object any more, and its spec is not what was promoted; {_goes_on(guard)}. Revert the "
        f"spec, or release it: annotate it {names.ANNOTATION_RELEASE}={live}"
    )


def _goes_on(guard: Guard) -> str:
    if guard.stable is None:
        return "until then nobody outside the canary is served"
    return f"stable traffic stays on revision {guard.stable.revision}"


def _no(reason: ConditionReason, message: str) -> Observation:
    return Observation(ConditionType.STABLE, False, reason, message)
