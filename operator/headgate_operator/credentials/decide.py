"""Whether a Secret's content goes into Vault: one pure decision for API keys and grants alike (design, guarantee 3).

The live record wins over any content it has seen before, so a restored Secret never overwrites a rotated token. Origins
are bound at import; only someone who shows the imported content (or the Secret it was taken from) may widen them, since
whoever can edit a provider could otherwise send a credential they cannot read to a host of their own.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import TypeAlias

from headgate_api import names
from headgate_api.reasons import ConditionReason
from headgate_api.resources.base import SecretKeyRef
from headgate_api.secret import Secret
from headgate_operator.credentials.secretview import SecretView, place


@dataclass(frozen=True, slots=True)
class Held:
    """What Vault holds at the derived path. ``found`` False with a version: that version was deleted there by hand."""

    found: bool
    version: int
    origins: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    invalid: str | None = None
    """Why the record cannot be used, when someone wrote something else there."""
    forgotten: bool = False
    """A grant was here and was revoked: nothing to use, and what it was imported from is not imported again."""


@dataclass(frozen=True, slots=True)
class Question:
    """Everything the decision depends on. ``content_problem`` is what parsing the content said."""

    namespace: str
    path: str
    ref: SecretKeyRef | None
    secret: SecretView | None
    import_id: str | None
    content_problem: str | None
    held: Held
    origin: str | None
    """Of the endpoint that it is for now; None: there is no provider or its endpoint is no URL."""
    imported_from: str | None
    """``name/key`` of the Secret that status names as the source."""


@dataclass(frozen=True, slots=True)
class Import:
    """Store the Secret's content as a new version bound to ``origins``."""

    import_id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WidenOrigins:
    """Rewrite the live record, its credential untouched, bound to these origins."""

    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Vault holds a usable record and nothing is to be written. ``holds_content``: it has seen the Secret's content."""

    reason: ConditionReason
    message: str
    holds_content: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing usable, or nothing that may go to this endpoint."""

    reason: ConditionReason
    message: str


ImportDecision: TypeAlias = Import | WidenOrigins | Confirmed | Refused


def import_id(hash_key: Secret, content: Secret) -> str:
    """Return the keyed hash that recognises this content again (HMAC-SHA256, hexadecimal)."""
    return hmac.new(hash_key.reveal().encode(), content.reveal().encode(), hashlib.sha256).hexdigest()


def source(ref: SecretKeyRef) -> str:
    """Return how status names the source of an import: ``name/key``."""
    return f"{ref.name}/{ref.key}"


def decide(asked: Question) -> ImportDecision:
    """Return what is to be done about one credential."""
    held, secret = asked.held, asked.secret
    if held.invalid is not None:
        return Refused(ConditionReason.RECORD_INVALID, f"Vault record {asked.path} cannot be used: {held.invalid}")
    if not held.found and held.version and not held.forgotten:
        return Refused(
            ConditionReason.CREDENTIAL_NOT_FOUND,
            f"version {held.version} of Vault record {asked.path} was deleted by hand; undelete it there, or delete the "
            "record's metadata to have the Secret imported anew",
        )
    new_content = (
        secret is not None
        and asked.import_id is not None
        and asked.content_problem is None
        and asked.import_id not in held.imports
    )
    if new_content:
        return _import(asked)
    if not held.found:
        return _nothing(asked)
    return _live(asked)


def _import(asked: Question) -> ImportDecision:
    """Bind new content: to what the Secret's own annotation names, else to the endpoint as it is now."""
    if asked.secret is None or asked.import_id is None:
        raise ValueError("there is no content to import")
    if asked.origin is None:
        return Refused(ConditionReason.PENDING, "the provider's endpoint is not known yet, so nothing is stored")
    allowed = asked.secret.origins
    if allowed is not None and asked.origin not in allowed:
        return Refused(
            ConditionReason.ORIGIN_NOT_BOUND,
            f"{asked.secret.where} may be sent to {_listed(allowed)} only, and the endpoint is {asked.origin}; correct the "
            f"endpoint, or have whoever owns the Secret add it to the annotation {names.ANNOTATION_ORIGINS}",
        )
    return Import(asked.import_id, allowed or (asked.origin,))


def _nothing(asked: Question) -> Refused:
    if asked.ref is None:
        return Refused(
            ConditionReason.CREDENTIAL_NOT_FOUND,
            f"Vault holds nothing at {asked.path}; write the credential there, or name a Secret in importSecretRef",
        )
    where = place(asked.namespace, asked.ref)
    if asked.secret is None:
        return Refused(
            ConditionReason.SECRET_NOT_FOUND,
            f"Secret {asked.namespace}/{asked.ref.name} does not exist; create it with the key {asked.ref.key}",
        )
    if asked.content_problem is not None:
        return Refused(asked.secret.problem_reason, asked.content_problem)
    return Refused(
        ConditionReason.SECRET_KEY_NOT_FOUND,
        f"{where} does not exist (the Secret has {', '.join(asked.secret.keys) or 'no keys'}); add the key to the Secret, or "
        "correct importSecretRef.key",
    )


def _live(asked: Question) -> ImportDecision:
    """Judge the record that Vault holds: it serves when it is bound to the endpoint's origin."""
    held, secret = asked.held, asked.secret
    if asked.origin is not None and asked.origin not in held.origins:
        if secret is not None and secret.origins and asked.origin in secret.origins and owns(asked, secret):
            return WidenOrigins(tuple(dict.fromkeys((*held.origins, *secret.origins))))
        return Refused(
            ConditionReason.ORIGIN_NOT_BOUND,
            f"the credential is bound to {_listed(held.origins)}, and the endpoint is {asked.origin}; {_mend(asked)}",
        )
    seen = asked.import_id is not None and asked.import_id in held.imports
    if asked.ref is not None and asked.content_problem is not None:
        message = f"Vault's version {held.version} stays in use; the new content is refused: {asked.content_problem}"
        reason = ConditionReason.SECRET_INVALID if secret is None else secret.problem_reason
        if reason is ConditionReason.SECRET_FORBIDDEN:
            message = f"Vault's version {held.version} stays in use, and a new one would not be noticed: {asked.content_problem}"
        return Confirmed(reason, message)
    if seen and asked.import_id != held.imports[-1] and asked.ref is not None:
        message = (
            f"{place(asked.namespace, asked.ref)} holds content imported earlier than the latest; Vault's version "
            f"{held.version} stays in use. To go back, pin an earlier version or put in a new credential"
        )
        return Confirmed(ConditionReason.IMPORTED, message, holds_content=True)
    if seen and asked.ref is not None:
        message = f"{place(asked.namespace, asked.ref)} is in Vault, version {held.version}"
        return Confirmed(ConditionReason.IMPORTED, message, holds_content=True)
    return Confirmed(ConditionReason.IN_VAULT, f"Vault holds version {held.version}")


def owns(asked: Question, secret: SecretView) -> bool:
    """Tell whether this Secret speaks for the live record: it holds the last import, or was emptied after being it."""
    if secret.content is not None:
        return bool(asked.held.imports) and asked.import_id == asked.held.imports[-1]
    return asked.ref is not None and asked.imported_from == source(asked.ref)


def _mend(asked: Question) -> str:
    if asked.ref is None:
        return f"put {asked.origin} into the field origins of Vault record {asked.path}, or restore the endpoint"
    return (
        f"put a new credential into {place(asked.namespace, asked.ref)}, or set the Secret's annotation "
        f"{names.ANNOTATION_ORIGINS} to include {asked.origin}"
    )


def _listed(origins: tuple[str, ...]) -> str:
    return ", ".join(origins) or "no origin"
