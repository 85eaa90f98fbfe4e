"""A policy's targets as the engine is shown them: pure translations of guards, statuses and stamps."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headgate_api.reasons import ConditionType
from headgate_api.resources import LLMProvider, ProxyFleet, SubscriptionAccount
from headgate_api.resources.rolloutspec import Target
from headgate_api.revisions import Bundle, ProviderBundle
from headgate_api.snapshot import AccountForm, ProviderForm, Snapshot
from headgate_operator.revisions.bundles import (
    Form,
    account_form,
    fleet_bundle,
    members_of,
    provider_bundle,
    provider_form,
    same_account,
)
from headgate_operator.revisions.guard import UNGUARDED, Guard, State
from headgate_operator.revisions.guards import Rollouts
from headgate_operator.revisions.history import NONE, History
from headgate_operator.revisions.settled import unsettled
from headgate_operator.revisions.standing import served_form
from headgate_operator.rollout.authors import authors_of, generations_of
from headgate_operator.rollout.observed import TargetSeen
from headgate_runtime.kube import Object

_NEEDED = (ConditionType.ACCEPTED, ConditionType.CREDENTIALS_READY)


@dataclass(frozen=True, slots=True)
class Content:
    """A target with what can be kept of it. ``live``: None where it is not known; ``served``: to be adopted, if anything."""

    seen: TargetSeen
    guard: Guard = UNGUARDED
    history: History = NONE
    live: Form | None = None
    served: Form | None = None
    generations: dict[str, int] = field(default_factory=dict)
    body: Object | None = None
    item: LLMProvider | ProxyFleet | None = None
    accounts: tuple[SubscriptionAccount, ...] = ()

    def with_body(self, body: Object | None) -> "Content":
        """Return the content with the object as JSON."""
        return replace(self, body=body)


def seen_of(
    target: Target,
    item: LLMProvider | ProxyFleet | None,
    rollouts: Rollouts,
    *,
    accounts: Sequence[SubscriptionAccount] = (),
    snapshots: Sequence[Snapshot | None] = (),
    served: Form | None = None,
) -> Content:
    """Return one target; ``item`` None: there is none, or it is being deleted."""
    if item is None:
        return Content(TargetSeen(target, False, None, None, frozenset(), False, None, frozenset(), False))
    history = rollouts.history(item)
    members: tuple[SubscriptionAccount, ...] = ()
    if isinstance(item, LLMProvider):
        members = tuple(members_of(item, accounts))
        guard = rollouts.of_provider(item, members, snapshots)
        bundle: Bundle = provider_bundle(item, members)
        behind = unsettled(item, members)
        served = served_form(snapshots, *item.key)
        problem = behind or _problem(item)
    else:
        guard, bundle, behind, problem = rollouts.of_fleet(item, served), fleet_bundle(item), None, None
    stable = history.stable
    people, unknown = _authors(item, members, bundle, guard, history)
    seen = TargetSeen(
        target=target,
        exists=True,
        live=guard.live if behind is None else None,
        stable=stable.revision if stable is not None else None,
        promoted=frozenset(k.revision for k in history.kept if k.number > 0),
        adopted=guard.state is State.GUARDED,
        problem=problem,
        authors=people,
        author_unknown=unknown,
    )
    return Content(
        seen=seen,
        guard=guard,
        history=history,
        live=Form(guard.live, bundle) if guard.live is not None else None,
        served=served,
        generations=generations_of((item, *members)),
        item=item,
        accounts=members,
    )


def _problem(provider: LLMProvider) -> str | None:
    """Return why the provider's live form could not serve, in the words of its own conditions."""
    for condition in provider.status.conditions:
        if condition.type in _NEEDED and condition.status == "False":
            return f"LLMProvider {provider.metadata.name} {condition.type}: {condition.message}"
    return None


def _authors(
    item: LLMProvider | ProxyFleet,
    members: Sequence[SubscriptionAccount],
    live: Bundle,
    guard: Guard,
    history: History,
) -> tuple[frozenset[str], bool]:
    """Return (authors of what differs from the stable form, whether part of it is nobody's)."""
    stable = guard.stable.bundle if guard.stable is not None else None
    if stable == live:
        return frozenset(), False
    since = history.stable.generations if history.stable is not None else None
    if (
        not isinstance(live, ProviderBundle)
        or not isinstance(stable, ProviderBundle)
        or not isinstance(item, LLMProvider)
    ):
        return authors_of((item, *members), since, also_unstamped=False)
    changed: list[LLMProvider | SubscriptionAccount] = []
    # What no stamp tells of counts beside what one tells of: whoever changed it must not hide behind another's change of spec.
    unstamped = _key_changed(stable.provider, provider_form(item))
    if stable.provider.spec != live.provider.spec:
        changed.append(item)
    for account in members:
        kept, now = stable.accounts.get(account.metadata.name), live.accounts[account.metadata.name]
        if kept is not None and same_account(kept, account_form(account)):
            continue
        if kept is None or kept.spec != now.spec:
            changed.append(account)
        if kept is not None:
            unstamped = unstamped or kept.labels != now.labels or _grant_changed(kept, now)
    return authors_of(changed, since, also_unstamped=unstamped)


def _key_changed(kept: ProviderForm, now: ProviderForm) -> bool:
    """Tell whether there is another key than before that spec does not account for: put into the Secret, or into Vault."""
    return now.api_key not in (None, kept.api_key) and kept.spec.auth.api_key == now.spec.auth.api_key


def _grant_changed(kept: AccountForm, now: AccountForm) -> bool:
    """Tell whether there is another grant than before that spec does not account for."""
    return kept.grant_id != now.grant_id and kept.spec.credential == now.spec.credential
