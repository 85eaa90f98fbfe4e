"""Under which settings a provider's workload identity is exchanged, and the hash that names them.

The hash stands in the token's Vault path: a token obtained under other settings is never found in place of the right one. A
guarded provider may so have two tokens, one for its stable form and one for its candidate.
"""

from dataclasses import dataclass
from typing import Final

from headgate_api.origins import origin_of
from headgate_api.reasons import AuthMode
from headgate_api.resources import LLMProvider, LLMProviderSpec
from headgate_api.resources.auth import WorkloadIdentityAuth
from headgate_api.resources.llmprovider import CredentialStatus
from headgate_api.snapshot import CredentialPointer, content_revision
from headgate_api.vault import federated_path
from headgate_operator.engine.keys import Key

FEDERATED: Final = "FederatedToken"
"""The kind of key under which a token is renewed: the name is ``provider/grant``."""
_TOKEN_PATH: Final = "/v1/oauth/token"  # noqa: S105 - a path
_GRANT_DIGITS: Final = 24


@dataclass(frozen=True, slots=True)
class Federation:
    """One exchange: whose token goes where, and for which upstream (``origin``) the answer is."""

    namespace: str
    provider: str
    auth: WorkloadIdentityAuth
    token_endpoint: str
    origin: str
    ca_bundle: str | None = None

    @property
    def grant_id(self) -> str:
        """Return the hash of everything that decides what the vendor issues, and where it may be used."""
        settings = self.auth.to_wire() | {"tokenEndpoint": self.token_endpoint}
        return content_revision(self.namespace, self.provider, self.origin, settings)[:_GRANT_DIGITS]

    @property
    def key(self) -> Key:
        """Return the key under which this token is renewed."""
        return Key(FEDERATED, self.namespace, f"{self.provider}/{self.grant_id}")

    @property
    def path(self) -> str:
        """Return the token's Vault path."""
        return federated_path(self.namespace, self.provider, self.grant_id)

    @property
    def token_origin(self) -> str:
        """Return the origin that assertions go to; the endpoint itself where it is no URL, which then fails to be sent."""
        try:
            return origin_of(self.token_endpoint)
        except ValueError:
            return self.token_endpoint

    @property
    def subject(self) -> str:
        """Return the ``sub`` of the assertion, which the vendor's rule has to allow."""
        return f"system:serviceaccount:{self.namespace}:{self.auth.service_account_name}"


def federation_of(namespace: str, provider: str, spec: LLMProviderSpec) -> Federation | None:
    """Return the settings of a form; None where it has no such mode, or no endpoint that a token could be bound to."""
    auth = spec.auth.workload_identity
    if auth is None or AuthMode.WORKLOAD_IDENTITY not in spec.auth.modes:
        return None
    try:
        origin = origin_of(spec.endpoint)
    except ValueError:
        return None
    endpoint = auth.token_endpoint or spec.endpoint.rstrip("/") + _TOKEN_PATH
    return Federation(namespace, provider, auth, endpoint, origin, spec.tls.ca_bundle if spec.tls is not None else None)


def provider_of(key: Key) -> Key:
    """Return the provider's key for the key of one of its tokens; any other key as it is."""
    return Key(LLMProvider.KIND, key.namespace, key.name.partition("/")[0]) if key.kind == FEDERATED else key


def versions_in(known: CredentialStatus | None) -> dict[str, int]:
    """Return {grant: version of its token} as a provider's status tells it."""
    if known is None:
        return {}
    found = {former.grant_id: former.version for former in known.former_grants}
    if known.grant_id is not None and known.version is not None:
        found[known.grant_id] = known.version
    return found


def pointer_for(provider: LLMProvider, spec: LLMProviderSpec) -> CredentialPointer | None:
    """Return where a form of a provider (``spec``) finds its token, from the live object's status; None before it has one."""
    federation = federation_of(*provider.key, spec)
    version = (
        versions_in(provider.status.workload_identity).get(federation.grant_id) if federation is not None else None
    )
    if federation is None or version is None:
        return None
    return CredentialPointer(path=federation.path, version=version)
