"""What one refresh depends on, read afresh right before it: the account, its client, and where its token may go."""

from dataclasses import dataclass

from headgate_api import names
from headgate_api.redaction import Redactor
from headgate_api.resources import OAuthProfile, ProxyFleet, SubscriptionAccount
from headgate_api.resources.base import SecretKeyRef
from headgate_api.secret import Secret
from headgate_operator.credentials.observe import secret_view
from headgate_operator.credentials.secretview import place
from headgate_operator.engine.keys import Key
from headgate_operator.oauth.requests import Client
from headgate_operator.reading import read, readable
from headgate_operator.refresh.verdict import token_origin
from headgate_runtime.kube import Kube, Object
from headgate_runtime.kube_kinds import PROXY_FLEET, SUBSCRIPTION_ACCOUNT

_LONGEST_SECRET = 4096


class NoClient(Exception):  # noqa: N818 - a state of the objects
    """The client secret cannot be had; the message names the Secret and the mend."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One account as it stands. ``private_addresses``: a fleet that serves its namespace allows them."""

    account: SubscriptionAccount
    private_addresses: bool
    body: Object


class Subjects:
    """Reads accounts and client secrets from the API server."""

    def __init__(self, kube: Kube, redactor: Redactor, *, fleet_namespace: str) -> None:
        self._kube = kube
        self._redactor = redactor
        self._fleet_namespace = fleet_namespace

    async def read(self, key: Key) -> Subject | None:
        """Return the account, or None where it is gone. Raises KubeError, KubeUnavailable, Unreadable."""
        body = await self._kube.get(SUBSCRIPTION_ACCOUNT, key.namespace, key.name)
        if body is None:
            return None
        fleets = readable(ProxyFleet, await self._kube.list(PROXY_FLEET, self._fleet_namespace))
        private = any(f.spec.serves(key.namespace) and f.spec.allowances.private_addresses for f in fleets)
        return Subject(read(SubscriptionAccount, body), private, body)

    async def client(self, namespace: str, profile: OAuthProfile) -> Client:
        """Return the profile's client. Raises NoClient, KubeError, KubeUnavailable."""
        ref = profile.client_secret_ref
        return Client(profile, await self._secret(namespace, profile, ref) if ref is not None else None)

    async def _secret(self, namespace: str, profile: OAuthProfile, ref: SecretKeyRef) -> Secret:
        where = f"spec.oauth.clientSecretRef: {place(namespace, ref)}"
        seen = await secret_view(self._kube, self._redactor, namespace, ref)
        if seen is None:
            raise NoClient(f"{where}: the Secret does not exist; create it")
        if seen.problem is not None:
            raise NoClient(seen.problem)
        value = (seen.content.reveal() if seen.content is not None else "").removesuffix("\n").removesuffix("\r")
        if not value or len(value) > _LONGEST_SECRET or not value.isprintable():
            raise NoClient(f"{where} is missing, empty or no text; put the client's secret into it")
        if seen.origins is not None and token_origin(profile) not in seen.origins:
            raise NoClient(
                f"{where} may be sent to {', '.join(seen.origins) or 'no origin'} only; correct spec.oauth.tokenEndpoint, or have "
                f"whoever owns the Secret change its annotation {names.ANNOTATION_ORIGINS}"
            )
        secret = Secret(value)
        self._redactor.remember(secret)
        return secret
