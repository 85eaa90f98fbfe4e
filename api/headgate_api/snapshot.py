"""What a fleet runs on: one snapshot with the stable and the candidate form of every object, and the head that names it.

The content is kept in immutable, compressed chunks named by their hash; the head is small and names the hashes, the
weights, the canary pods' endpoints and the broker. Nothing here is secret: credentials appear as path and version.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import Field

from headgate_api.resources import LLMProviderSpec, SubscriptionAccountSpec
from headgate_api.resources.base import KubeModel
from headgate_api.resources.proxyfleet import Allowances, CallerTokens, Limits
from headgate_api.resources.rolloutspec import DEFAULT_STICKINESS, StickySource

SCHEMA_VERSION: Final = 1
HEAD_KEY: Final = "head.json"
CHUNK_KEY: Final = "chunk.json.gz"
MAX_CHUNK_BYTES: Final = 700 * 1024
"""Compressed bytes per chunk: a ConfigMap may hold 1 MiB, and base64 adds a third on the wire."""
_MAX_BUCKETS: Final = 4096
_REVISION_DIGITS: Final = 32
_MAX_INFLATED_BYTES: Final = 64 * 1024 * 1024


class CredentialPointer(KubeModel):
    """Where a proxy finds a credential in Vault; the record itself says which origins it is bound to."""

    path: str
    version: int = Field(ge=1, description="KV version: a new one is a new pointer, and so a new snapshot.")


class ProviderForm(KubeModel):
    """One form (stable or candidate) of a provider."""

    revision: str
    spec: LLMProviderSpec
    api_key: CredentialPointer | None = None
    workload_identity: CredentialPointer | None = None


class ProviderEntry(KubeModel):
    """A provider in the snapshot. Without a stable form it answers nobody outside its canary audience."""

    namespace: str
    name: str
    generation: int
    stable: ProviderForm | None = None
    candidate: ProviderForm | None = None
    policy: str | None = Field(default=None, description="namespace/name of the RolloutPolicy that guards it.")


class AccountForm(KubeModel):
    """One form (stable or candidate) of an account."""

    revision: str
    spec: SubscriptionAccountSpec
    labels: dict[str, str] = Field(default_factory=dict)
    acknowledged: bool = Field(description="A person's acknowledgement of the current text is on record.")
    grant_id: str | None = Field(
        default=None, description="The grant; its refreshes are no change, another grant is one."
    )
    access: CredentialPointer | None = None
    revoked: bool = Field(default=False, description="There is no token since its owner revoked the grant.")


class AccountEntry(KubeModel):
    """A subscription account in the snapshot."""

    namespace: str
    name: str
    generation: int
    stable: AccountForm | None = None
    candidate: AccountForm | None = None
    policy: str | None = None


class FleetSettings(KubeModel):
    """The part of a ProxyFleet, and of the cluster, that a proxy needs on its way."""

    allowed_namespaces: tuple[str, ...]
    allowances: Allowances
    caller_tokens: CallerTokens
    limits: Limits
    issuer: str = Field(description="Issuer of the cluster's ServiceAccount tokens.")
    jwks: dict[str, Any] = Field(
        description="The cluster's ServiceAccount signing keys (RFC 7517), for offline verification."
    )


class Snapshot(KubeModel):
    """Everything a proxy serves from."""

    fleet: FleetSettings
    providers: tuple[ProviderEntry, ...] = ()
    accounts: tuple[AccountEntry, ...] = ()


class Endpoint(KubeModel):
    """A canary pod as stable pods reach it, by TLS; its certificate carries the fleet's name, not its address."""

    pod: str
    address: str
    port: int


class Split(KubeModel):
    """How one RolloutPolicy's requests are divided now, while a rollout exposes its candidate to anyone."""

    revision: str = Field(description="The rollout; a canary pod refuses any other.")
    step: int
    weight: int = Field(ge=0, le=10_000, description="The canary's share in 1/100 of a percent.")
    salt: str = Field(description="Mixed into the hash of the sticky key: it stays while the rollout lasts.")
    lane: Literal["Candidate", "Image"] = "Candidate"
    testers: tuple[str, ...] = Field(
        default=(), description="User names of callers who reach the canary at any weight."
    )
    stickiness: tuple[StickySource, ...] = DEFAULT_STICKINESS


class Head(KubeModel):
    """The small object proxies watch."""

    schema_version: int = SCHEMA_VERSION
    revision: str = Field(description="Hash over the chunks: equal revisions are equal content.")
    chunks: tuple[str, ...] = Field(description="SHA-256 of each chunk's uncompressed content, in hexadecimal.")
    rollouts: dict[str, Split] = Field(
        default_factory=dict,
        description="The rollouts that expose a candidate now, by RolloutPolicy (namespace/name).",
    )
    canary_endpoints: tuple[Endpoint, ...] = ()
    broker_url: str | None = None
    trust_bundle: str | None = Field(
        default=None,
        description="PEM certificates that the broker's and the canary pods' certificates are checked against.",
    )

    @property
    def digest(self) -> str:
        """Return the hash by which a proxy acknowledges this head, weights and endpoints included."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the canonical JSON that stands in the head object."""
        return canonical_json(self.to_wire())


class SnapshotError(ValueError):
    """A head or chunk that cannot be used: damaged, incomplete, or of a schema this build does not know."""


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no white space: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_revision(*parts: Any) -> str:
    """Return the content hash (32 hexadecimal digits) that names a form of an object.

    People approve this name and traffic runs on the content: it must be too long for anybody to find two contents of one name.
    """
    return hashlib.sha256(canonical_json(list(parts)).encode()).hexdigest()[:_REVISION_DIGITS]


def pack(snapshot: Snapshot, *, max_chunk_bytes: int = MAX_CHUNK_BYTES) -> tuple[str, dict[str, bytes]]:
    """Return (revision, {SHA-256 of the content: gzip of the content}).

    Objects are spread over buckets by the hash of their key, so that a change rewrites one chunk and leaves the others
    as they are. Raises SnapshotError when a single object does not fit.
    """
    fleet = canonical_json({"fleet": snapshot.fleet.to_wire()}).encode()
    buckets = 1
    while True:
        contents = [fleet, *_bucketed(snapshot, buckets)]
        chunks = {hashlib.sha256(c).hexdigest(): gzip.compress(c, mtime=0) for c in contents}
        if all(len(data) <= max_chunk_bytes for data in chunks.values()):
            return revision_of(chunks), chunks
        buckets *= 2
        if buckets > _MAX_BUCKETS:
            raise SnapshotError(f"one object alone is larger than a chunk of {max_chunk_bytes} bytes can hold")


def _bucketed(snapshot: Snapshot, buckets: int) -> Iterable[bytes]:
    filled: dict[int, dict[str, list[Any]]] = {}
    sections: tuple[tuple[str, Sequence[ProviderEntry | AccountEntry]], ...] = (
        ("providers", snapshot.providers),
        ("accounts", snapshot.accounts),
    )
    for section, entries in sections:
        for entry in sorted(entries, key=lambda e: (e.namespace, e.name)):
            key = f"{section}/{entry.namespace}/{entry.name}"
            bucket = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % buckets
            filled.setdefault(bucket, {}).setdefault(section, []).append(entry.to_wire())
    return [canonical_json(filled[bucket]).encode() for bucket in sorted(filled)]


def revision_of(digests: Iterable[str]) -> str:
    """Return the snapshot revision of a set of chunk digests."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()[:16]


def parse_head(text: str) -> Head:
    """Read a head object. Raises SnapshotError when this build cannot use it."""
    try:
        head = Head.model_validate_json(text)
    except ValueError as error:
        raise SnapshotError(f"the snapshot head is damaged: {error}") from error
    if head.schema_version != SCHEMA_VERSION:
        raise SnapshotError(
            f"the snapshot has schema version {head.schema_version}, this proxy reads {SCHEMA_VERSION}; upgrade the proxy image"
        )
    return head


def unpack(head: Head, chunks: Mapping[str, bytes]) -> Snapshot:
    """Put a snapshot together from its compressed chunks, keyed by digest. Raises SnapshotError when one is missing or altered."""
    merged: dict[str, Any] = {"providers": [], "accounts": []}
    for digest in head.chunks:
        if digest not in chunks:
            raise SnapshotError(f"chunk {digest[:12]} is missing")
        content = _inflate(chunks[digest], digest)
        if hashlib.sha256(content).hexdigest() != digest:
            raise SnapshotError(f"chunk {digest[:12]} does not match its hash")
        part = json.loads(content)
        for section in ("providers", "accounts"):
            merged[section].extend(part.get(section, ()))
        if "fleet" in part:
            merged["fleet"] = part["fleet"]
    try:
        return Snapshot.model_validate(merged)
    except ValueError as error:
        raise SnapshotError(f"snapshot {head.revision} does not fit the schema: {error}") from error


def _inflate(data: bytes, digest: str) -> bytes:
    try:
        content = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise SnapshotError(f"chunk {digest[:12]} is not gzip: {error}") from error
    if len(content) > _MAX_INFLATED_BYTES:
        raise SnapshotError(f"chunk {digest[:12]} is larger than any chunk may be")
    return content
