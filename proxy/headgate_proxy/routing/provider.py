"""A provider as requests meet it: everything that does not depend on the request, worked out once per snapshot."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from urllib.parse import urlsplit

from headgate_api.origins import is_plain_http, is_private_host, origin_of
from headgate_api.reasons import AuthMode
from headgate_api.resources import LLMProviderSpec, Model
from headgate_api.resources.proxyfleet import Allowances
from headgate_api.snapshot import AccountEntry, AccountForm, CredentialPointer, ProviderEntry, ProviderForm
from headgate_proxy.identity.profile import Identity, identity_of
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.protocols.registry import DIALECTS


@dataclass(frozen=True, slots=True)
class Account:
    """A subscription account that belongs to a provider; ``subjects`` None means that every caller may use it.

    ``refreshable``: the control plane can renew its token. ``seed``: 64 bits of the name's hash, which spread sessions.
    """

    name: str
    subjects: frozenset[tuple[str, str]] | None
    acknowledged: bool
    suspended: bool
    revoked: bool
    refreshable: bool
    access: CredentialPointer | None
    priority: int = 0
    seed: int = 0


Subject = tuple[str, str]
"""Namespace and name of a ServiceAccount."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The accounts of one priority that a subject may use, by name; ``ring`` has them by their seeds."""

    accounts: tuple[Account, ...]
    ring: tuple[Account, ...]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> "Rank":
        """Return a rank of these accounts."""
        found = tuple(accounts)
        ring = tuple(sorted(found, key=lambda account: account.seed))
        return cls(found, ring, tuple(account.seed for account in ring))


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where requests go: ``base_url`` without a last slash, and the origin that credentials must be bound to."""

    base_url: str
    origin: str

    @property
    def has_path(self) -> bool:
        """Tell whether the base URL is more than an origin."""
        return bool(urlsplit(self.base_url).path)


@dataclass(frozen=True, slots=True)
class Provider:
    """One form of a provider, ready for selection and sending.

    ``accounts`` are in the order they are tried; ``plan`` is where subscription requests go, ``upstream`` where all others do.
    ``identity`` is what subscription requests present instead of the client's own, None where that passes through.
    ``serves`` are the operations of each mode, ``answers`` all of them and the protocol: what a request may ask of the provider.
    ``forbidden`` says why the fleet does not let requests go there.
    """

    namespace: str
    name: str
    revision: str
    spec: LLMProviderSpec
    api_key: CredentialPointer | None
    federated: CredentialPointer | None
    accounts: tuple[Account, ...]
    upstream: Upstream
    plan: Upstream
    identity: Identity | None
    serves: Mapping[AuthMode, frozenset[Operation]]
    answers: frozenset[str]
    forbidden: str | None
    _mine: Mapping[Subject | None, tuple[Rank, ...]] = field(default_factory=dict)
    """The accounts that each subject may use; None: those that everybody may."""

    def ranks_of(self, namespace: str, service_account: str) -> tuple[Rank, ...]:
        """Return the accounts that a caller may use, by priority."""
        return self._mine.get((namespace, service_account)) or self._mine.get(None, ())

    def at(self, mode: AuthMode) -> Upstream:
        """Return where requests of a mode go; no credential of another mode is ever sent there."""
        return self.plan if mode is AuthMode.SUBSCRIPTION else self.upstream

    @property
    def label(self) -> str:
        """Return ``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def pointers(self) -> Iterable[CredentialPointer]:
        """Return every credential that requests to this provider may need."""
        return [p for p in (self.api_key, self.federated, *(a.access for a in self.accounts)) if p is not None]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes: the provider, and its model behind the name that was asked for."""

    provider: Provider
    model: Model
    asked: str


def compile_provider(
    entry: ProviderEntry,
    form: ProviderForm,
    accounts: Iterable[tuple[AccountEntry, AccountForm]],
    allowances: Allowances,
) -> Provider:
    """Return one form of a provider with its accounts in the order they are tried.

    ``accounts``, each with the form that applies, may be of any namespace and provider: those that do not belong are left
    out. A provider that cannot work is compiled all the same, with the reason in ``forbidden``: one bad object must not stop
    the others.
    """
    spec = form.spec
    upstream, forbidden = _upstream(spec.endpoint, "endpoint", allowances)
    plan = upstream
    if spec.plan_endpoint != spec.endpoint:
        plan, no = _upstream(spec.plan_endpoint, "auth.subscription.endpoint", allowances)
        forbidden = forbidden or no
    serves = _serves(spec)
    belonging = _accounts_of(entry, spec, accounts)
    return Provider(
        namespace=entry.namespace,
        name=entry.name,
        revision=form.revision,
        spec=spec,
        api_key=form.api_key,
        federated=form.workload_identity,
        accounts=belonging,
        upstream=upstream,
        plan=plan,
        identity=identity_of(spec.auth.subscription),
        serves=serves,
        answers=frozenset({spec.protocol}).union(*serves.values()),
        forbidden=forbidden,
        _mine=_by_subject(belonging),
    )


def _by_subject(accounts: tuple[Account, ...]) -> Mapping[Subject | None, tuple[Rank, ...]]:
    subjects: set[Subject | None] = {None, *(s for account in accounts for s in account.subjects or ())}
    owned: dict[Subject | None, list[Account]] = {subject: [] for subject in subjects}
    for account in accounts:
        for subject in subjects if account.subjects is None else account.subjects:
            owned[subject].append(account)
    return {
        subject: tuple(Rank.of(rank) for _, rank in groupby(mine, key=lambda account: account.priority))
        for subject, mine in owned.items()
    }


def _serves(spec: LLMProviderSpec) -> Mapping[AuthMode, frozenset[Operation]]:
    dialect = DIALECTS.get(spec.protocol)
    if dialect is None:
        return {}
    apis = frozenset(spec.apis) or dialect.default_apis
    return {
        mode: frozenset(operation for operation in rule.paths if rule.apis.get(operation) in (None, *apis))
        for mode in spec.auth.modes
        if (rule := dialect.modes.get(mode)) is not None
    }


def _upstream(endpoint: str, field: str, allowances: Allowances) -> tuple[Upstream, str | None]:
    """Return an endpoint as requests use it, and why they must not; ``field`` is its place in spec."""
    base_url = endpoint.rstrip("/")
    try:
        return Upstream(base_url, origin_of(endpoint)), _forbidden(endpoint, f"its {field}", allowances)
    except ValueError as error:
        return Upstream(base_url, ""), f"its {field} is not usable: {error}"


def _forbidden(endpoint: str, which: str, allowances: Allowances) -> str | None:
    if is_plain_http(endpoint) and not allowances.plain_http:
        return f"{which} is plain http, which this ProxyFleet does not allow; use https, or set allowances.plainHTTP"
    if is_private_host(endpoint) and not allowances.private_addresses:
        return (
            f"{which} is on a private or in-cluster address, which this ProxyFleet does not allow; use a public host, or set "
            "allowances.privateAddresses"
        )
    return None


def _accounts_of(
    entry: ProviderEntry, spec: LLMProviderSpec, accounts: Iterable[tuple[AccountEntry, AccountForm]]
) -> tuple[Account, ...]:
    selector = spec.auth.subscription.account_selector if spec.auth.subscription is not None else {}
    found = []
    for account, form in accounts:
        if account.namespace != entry.namespace or form.spec.provider_ref.name != entry.name:
            continue
        if not selector.items() <= form.labels.items():
            continue
        subjects = frozenset((s.namespace or account.namespace, s.name) for s in form.spec.owner.subjects)
        compiled = Account(
            name=account.name,
            subjects=None if form.spec.sharing == "Pool" else subjects,
            acknowledged=form.acknowledged,
            suspended=form.spec.suspend,
            revoked=form.revoked,
            refreshable=form.spec.oauth is not None,
            access=form.access,
            priority=form.spec.priority,
            seed=int.from_bytes(
                hashlib.blake2b(f"{account.namespace}/{account.name}".encode(), digest_size=8).digest()
            ),
        )
        found.append((-form.spec.priority, account.name, compiled))
    return tuple(compiled for _, _, compiled in sorted(found, key=lambda item: item[:2]))
