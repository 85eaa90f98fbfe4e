"""Every name that crosses a boundary of Headgate, so that no two components can spell one differently."""

from typing import Final

GROUP: Final = "headgate.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "headgate"

FINALIZER: Final = f"{GROUP}/credentials"
"""Held by objects that own Vault records, until ``deletionPolicy`` has been carried out."""

ROLLOUT_FINALIZER: Final = f"{GROUP}/rollout"
"""Held by RolloutPolicies, so that a rollout is ended in order before its policy goes."""

FIELD_MANAGER: Final = "headgate-operator"
"""Server-side-apply field manager of everything the operator writes."""

LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_INSTANCE: Final = "app.kubernetes.io/instance"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_FLEET: Final = f"{GROUP}/fleet"
LABEL_TRACK: Final = f"{GROUP}/track"
LABEL_CHUNK: Final = f"{GROUP}/chunk"
LABEL_REVISION_KIND: Final = f"{GROUP}/revision-of-kind"
"""On a ControllerRevision: the kind (LLMProvider, ProxyFleet or RolloutPolicy) of the object whose form it keeps."""
LABEL_REVISION_NAME: Final = f"{GROUP}/revision-of-name"
LABEL_REVISION: Final = f"{GROUP}/revision"
"""On a ControllerRevision: the content revision it keeps."""

ANNOTATION_APPROVE: Final = f"{GROUP}/approve"
"""On a RolloutPolicy: ``<revision>/<step>``, set by whoever has the verb ``approve``."""
ANNOTATION_APPROVED_BY: Final = f"{GROUP}/approved-by"
"""On a RolloutPolicy: the user who set ``approve``; the API server sees to that."""
ANNOTATION_ABORT: Final = f"{GROUP}/abort"
"""On a RolloutPolicy: the revision to withdraw."""
ANNOTATION_PAUSE: Final = f"{GROUP}/pause"
"""On a RolloutPolicy: while it is there (whatever its value), the rollout goes no further."""
ANNOTATION_RELEASE: Final = f"{GROUP}/release"
"""On a RolloutPolicy: the rejected content to try again. On an object that lost its guard: the held content to serve."""
ANNOTATION_AUTHORS: Final = f"{GROUP}/authors"
"""On guarded kinds: who changed spec last, a line ``<generation>=<user>`` each; stamped by a MutatingAdmissionPolicy."""
VERB_APPROVE: Final = "approve"

ANNOTATION_SIGN_IN: Final = f"{GROUP}/sign-in"
"""On a SubscriptionAccount: SHA-256 (hexadecimal) of the key by which whoever begins a sign-in is known to the broker."""
ANNOTATION_SIGN_IN_BY: Final = f"{GROUP}/sign-in-by"
"""On a SubscriptionAccount: the user who set ``sign-in``; the API server sees to that."""
ANNOTATION_REFRESH: Final = f"{GROUP}/refresh"
"""On a SubscriptionAccount: the generation (status.generation) to replace by a newer one, now."""
ANNOTATION_REVOKE: Final = f"{GROUP}/revoke"
"""On a SubscriptionAccount: the grant (status.credential.grantId) to revoke and forget."""
VERB_SIGN_IN: Final = "signin"

ANNOTATION_ORIGINS: Final = f"{GROUP}/origins"
"""On a credential Secret: comma-separated origins the credential may be sent to, set by whoever may write the Secret."""

ANNOTATION_PORTS: Final = f"{GROUP}/Ports"
"""Pod condition type under which the development node tells the local port of each named container port (JSON)."""

AUDIENCE_CALLER: Final = "headgate"
"""Audience of the ServiceAccount tokens that callers present to a proxy."""
AUDIENCE_VAULT: Final = "vault"
AUDIENCE_BROKER: Final = "headgate-broker"
"""Audience of the tokens that proxies present to the broker."""
AUDIENCE_RELAY: Final = "headgate-relay"
"""Audience of the tokens that stable proxies present to canary proxies."""

HEADER_AUTH_MODE: Final = "x-headgate-auth-mode"
HEADER_FALLBACK_REASON: Final = "x-headgate-fallback-reason"
HEADER_PROVIDER: Final = "x-headgate-provider"
HEADER_REQUEST_ID: Final = "x-headgate-request-id"
HEADER_TRACK: Final = "x-headgate-track"
"""On a response: the track that served it. On a tester's request: the track they want."""
HEADER_ROLLOUT: Final = "x-headgate-rollout"
"""On a response that a candidate served: ``<policy>@<revision>``."""
HEADER_SESSION: Final = "x-headgate-session"
"""On a request: a session to stick to a track, for clients that have none of their own."""
HEADER_RELAY: Final = "x-headgate-relay"
"""Between proxies: ``<policy>@<revision>`` of a relayed request."""
HEADER_RELAY_TOKEN: Final = "x-headgate-relay-token"  # noqa: S105 - a header's name
HEADER_PREFIX: Final = "x-headgate-"

METRIC_PREFIX: Final = "headgate_"


def proxy_name(fleet: str) -> str:
    """Return the name of a fleet's Deployment, Service and ServiceAccount (Vault binds its proxy role to this pattern)."""
    return f"headgate-proxy-{fleet}"


def canary_name(fleet: str) -> str:
    """Return the name of a fleet's canary Deployment and its ServiceAccount (no pattern for proxies matches it)."""
    return f"headgate-canary-{fleet}"


def proxy_server_name(fleet: str, namespace: str) -> str:
    """Return the DNS name in the certificate of a fleet's listener and relay: peers are reached by address, checked by name."""
    return f"{proxy_name(fleet)}.{namespace}.svc"


def tls_secret(fleet: str) -> str:
    """Return the name of the Secret with the certificate that the operator makes for a fleet."""
    return f"{proxy_name(fleet)}-tls"


CA_SECRET: Final = "headgate-ca"  # noqa: S105 - a name
"""The operator's own certificate authority."""
BROKER_TLS_SECRET: Final = "headgate-broker-tls"  # noqa: S105 - a name
BROKER_SERVICE: Final = "headgate-broker"


def broker_server_name(namespace: str) -> str:
    """Return the DNS name in the broker's certificate."""
    return f"{BROKER_SERVICE}.{namespace}.svc"


def head_name(fleet: str) -> str:
    """Return the name of the ConfigMap that is the head of a fleet's snapshot."""
    return f"headgate-head-{fleet}"


def chunk_name(digest: str) -> str:
    """Return the name of the immutable ConfigMap that holds the chunk of this digest (lower-case hexadecimal)."""
    return f"headgate-chunk-{digest[:40]}"
