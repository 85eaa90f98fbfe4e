"""A credential Secret as decisions see it: one key's content, what its annotation allows, and who else manages it."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate_api import names
from headgate_api.origins import origin_of
from headgate_api.reasons import ConditionReason
from headgate_api.resources.base import SecretKeyRef
from headgate_api.secret import Secret

_GITOPS_PREFIXES: Final = (
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/release-name",
)
"""Labels or annotations by which Argo CD, Flux and Helm mark what they apply, and would restore."""


_CLUSTER_TYPES: Final = ("kubernetes.io/", "bootstrap.kubernetes.io/", "helm.sh/")


@dataclass(frozen=True, slots=True)
class SecretView:
    """One key of a Secret. ``content`` None: the key is absent (or was emptied). ``kept`` says who else would restore it."""

    ref: SecretKeyRef
    namespace: str
    resource_version: str
    content: Secret | None
    origins: tuple[str, ...] | None
    """From the annotation; None: not set."""
    keys: tuple[str, ...] = ()
    """The keys it does have, for people who look for a misspelt one."""
    kept: str | None = None
    problem: str | None = None
    """What is wrong with the Secret itself: its type, an annotation or an encoding that cannot be read."""
    problem_reason: ConditionReason = ConditionReason.SECRET_INVALID

    @property
    def where(self) -> str:
        """Return ``Secret namespace/name, key k`` for messages."""
        return place(self.namespace, self.ref)


def place(namespace: str, ref: SecretKeyRef) -> str:
    """Return how messages name one key of a Secret."""
    return f"Secret {namespace}/{ref.name}, key {ref.key}"


def forbidden(namespace: str, ref: SecretKeyRef, why: str) -> SecretView:
    """Return what is known of a Secret that the API server does not show to the operator."""
    text = (
        f"the operator may not read Secret {namespace}/{ref.name}; grant its ServiceAccount the verb get on secrets in "
        f"namespace {namespace} (the chart's ClusterRole headgate-operator does): {why}"
    )
    return SecretView(ref, namespace, "", None, None, problem=text, problem_reason=ConditionReason.SECRET_FORBIDDEN)


def view(body: Mapping[str, Any], ref: SecretKeyRef) -> SecretView:
    """Return what decisions need of a Secret as the API server returns it."""
    metadata = body["metadata"]
    namespace = str(metadata["namespace"])
    encoded = (body.get("data") or {}).get(ref.key)
    content, problem = None, _foreign(body, namespace, ref)
    if encoded is not None and problem is None:
        try:
            content = Secret(base64.b64decode(encoded, validate=True).decode())
        except (binascii.Error, ValueError):
            problem = f"{place(namespace, ref)} is not UTF-8 text; put the credential into it as text"
    origins: tuple[str, ...] | None = None
    annotation = (metadata.get("annotations") or {}).get(names.ANNOTATION_ORIGINS)
    if annotation is not None:
        try:
            origins = tuple(origin_of(part.strip()) for part in str(annotation).split(",") if part.strip())
        except ValueError as error:
            problem = f"Secret {namespace}/{ref.name}: annotation {names.ANNOTATION_ORIGINS}: {error}"
            origins = ()
    return SecretView(
        ref=ref,
        namespace=namespace,
        resource_version=str(metadata.get("resourceVersion", "")),
        content=content,
        origins=origins,
        keys=tuple(sorted(body.get("data") or {})),
        kept="it is immutable" if body.get("immutable") else _kept(metadata),
        problem=problem,
    )


def _foreign(body: Mapping[str, Any], namespace: str, ref: SecretKeyRef) -> str | None:
    """Return why a Secret of this type is not taken: it belongs to the cluster, and is no vendor's credential."""
    given = str(body.get("type") or "Opaque")
    if not given.startswith(_CLUSTER_TYPES):
        return None
    return (
        f"Secret {namespace}/{ref.name} is of type {given}, which the cluster uses for itself; put the credential into a "
        "Secret of type Opaque"
    )


def _kept(metadata: Mapping[str, Any]) -> str | None:
    """Return why this Secret's content must stay, or None when it may be emptied."""
    owners = metadata.get("ownerReferences") or ()
    if owners:
        return f"it belongs to {owners[0].get('kind', 'another object')} {owners[0].get('name', '')}".rstrip()
    labels = metadata.get("labels") or {}
    for mark in (*labels, *(metadata.get("annotations") or {})):
        if mark.startswith(_GITOPS_PREFIXES):
            return f"it carries {mark}, so a GitOps tool would restore it"
    if labels.get(names.LABEL_INSTANCE):
        return f"it carries the label {names.LABEL_INSTANCE}, so a GitOps tool may restore it"
    if labels.get(names.LABEL_MANAGED_BY) == "Helm":
        return "Helm manages it"
    return None
