"""Every name that crosses a boundary of Headgate, so that no two components can spell one differently."""

from typing import Final

GROUP: Final = "headgate.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "headgate"

FINALIZER: Final = f"{GROUP}/credentials"
"""Held by objects that own Vault records, until ``deletionPolicy`` has been carried out."""

FIELD_MANAGER: Final = "headgate-operator"
"""Server-side-apply field manager of everything the operator writes."""

LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_INSTANCE: Final = "app.kubernetes.io/instance"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_FLEET: Final = f"{GROUP}/fleet"
LABEL_TRACK: Final = f"{GROUP}/track"
LABEL_CHUNK: Final = f"{GROUP}/chunk"

ANNOTATION_ORIGINS: Final = f"{GROUP}/origins"
"""On a credential Secret: comma-separated origins the credential may be sent to, set by whoever may write the Secret."""

ANNOTATION_PORTS: Final = f"{GROUP}/Ports"
"""Pod condition type under which the development node tells the local port of each named container port (JSON)."""

AUDIENCE_CALLER: Final = "headgate"
"""Audience of the ServiceAccount tokens that callers present to a proxy."""
AUDIENCE_VAULT: Final = "vault"
AUDIENCE_BROKER: Final = "headgate-broker"
"""Audience of the tokens that proxies present to the broker."""

HEADER_AUTH_MODE: Final = "x-headgate-auth-mode"
HEADER_FALLBACK_REASON: Final = "x-headgate-fallback-reason"
HEADER_PROVIDER: Final = "x-headgate-provider"
HEADER_REQUEST_ID: Final = "x-headgate-request-id"
HEADER_PREFIX: Final = "x-headgate-"

METRIC_PREFIX: Final = "headgate_"


def proxy_name(fleet: str) -> str:
    """Return the name of a fleet's Deployment, Service and ServiceAccount (Vault binds its proxy role to this pattern)."""
    return f"headgate-proxy-{fleet}"


def head_name(fleet: str) -> str:
    """Return the name of the ConfigMap that is the head of a fleet's snapshot."""
    return f"headgate-head-{fleet}"


def chunk_name(digest: str) -> str:
    """Return the name of the immutable ConfigMap that holds the chunk of this digest (lower-case hexadecimal)."""
    return f"headgate-chunk-{digest[:40]}"
