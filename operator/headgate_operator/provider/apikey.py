"""The API key of a provider: what to do about it next, and how its mode stands."""

from dataclasses import dataclass

from headgate_api.origins import origin_of
from headgate_api.reasons import AuthMode, ConditionReason
from headgate_api.resources import LLMProvider
from headgate_api.resources.base import SecretKeyRef
from headgate_api.resources.llmprovider import CredentialStatus
from headgate_api.secret import Secret
from headgate_api.vault import APIKeyRecord, api_key_path
from headgate_operator.credentials.content import ContentError, parse_api_key
from headgate_operator.credentials.decide import (
    Confirmed,
    Import,
    ImportDecision,
    Question,
    Refused,
    WidenOrigins,
    decide,
    import_id,
    source,
)
from headgate_operator.credentials.observe import trouble_reason
from headgate_operator.credentials.plan import Note, WriteRecord
from headgate_operator.provider.acceptance import endpoint_origin
from headgate_operator.provider.modes import ModeState, lasting
from headgate_operator.provider.observed import ObservedKey, ObservedProvider


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """Either the next write, or how the mode stands and what status says of the key."""

    write: WriteRecord | None
    note: Note | None
    state: ModeState
    status: CredentialStatus | None


def key_plan(seen: ObservedProvider) -> KeyPlan:
    """Return the next step for the API key of a provider whose modes list APIKey."""
    provider, key = seen.provider, seen.key
    known = provider.status.api_key
    if key.trouble is not None:
        if known is not None and known.version is not None:
            message = f"{key.trouble}. Proxies go on with version {known.version}"
            return KeyPlan(None, None, _state(None, trouble_reason(key.trouble), message), known)
        return KeyPlan(None, None, _state(False, trouble_reason(key.trouble), str(key.trouble)), known)
    ref = _ref(provider)
    value, problem = _content(key)
    identity = import_id(key.hash_key, value) if key.hash_key is not None and value is not None else None
    asked = Question(
        namespace=provider.metadata.namespace,
        path=api_key_path(*provider.key),
        ref=ref,
        secret=key.secret,
        import_id=identity,
        content_problem=problem,
        held=key.latest.held(),
        origin=endpoint_origin(provider),
        imported_from=known.imported_from if known is not None else None,
    )
    decision = decide(asked)
    write = _write(decision, asked, key, value)
    note = None
    if isinstance(decision, Import) and ref is not None:
        note = Note(
            "Normal",
            ConditionReason.IMPORTED,
            "Import",
            f"API key of Secret {ref.name} stored in Vault at {asked.path}, version {key.latest.version + 1}",
        )
    elif isinstance(decision, WidenOrigins):
        note = Note("Normal", ConditionReason.IMPORTED, "Bind", f"API key now bound to {', '.join(decision.origins)}")
    if write is not None:
        return KeyPlan(write, note, _state(False, ConditionReason.PENDING, "being stored in Vault"), known)
    return _standing(seen, asked, decision)


def _ref(provider: LLMProvider) -> SecretKeyRef | None:
    return provider.spec.auth.api_key.import_secret_ref if provider.spec.auth.api_key else None


def _content(key: ObservedKey) -> tuple[Secret | None, str | None]:
    if key.secret is None:
        return None, None
    if key.secret.problem is not None:
        return None, key.secret.problem
    if key.secret.content is None:
        return None, None
    try:
        return parse_api_key(key.secret.content, key.secret.where), None
    except ContentError as error:
        return None, str(error)


def _write(decision: ImportDecision, asked: Question, key: ObservedKey, value: Secret | None) -> WriteRecord | None:
    if isinstance(decision, Import) and value is not None:
        record = APIKeyRecord(value=value, origins=decision.origins, imports=(*asked.held.imports, decision.import_id))
        return WriteRecord(asked.path, record, key.latest.version)
    if isinstance(decision, WidenOrigins) and key.latest.record is not None:
        record = key.latest.record.model_copy(update={"origins": decision.origins})
        return WriteRecord(asked.path, record, key.latest.version)
    return None


def _standing(seen: ObservedProvider, asked: Question, decision: ImportDecision) -> KeyPlan:
    """Tell how the mode stands now that nothing is to be written: pinned version, and the upstream's own verdict."""
    provider, key = seen.provider, seen.key
    record, version = key.latest.record, key.latest.version
    pin = provider.spec.auth.api_key.version if provider.spec.auth.api_key else None
    if isinstance(decision, Refused):
        status = _status(provider, asked, record, version) if record is not None and pin is None else None
        return KeyPlan(None, None, _state(False, decision.reason, decision.message), status)
    reason, message = (decision.reason, decision.message) if isinstance(decision, Confirmed) else ("", "")
    if pin is not None:
        record, version = (key.pinned.record if key.pinned is not None else None), pin
        if record is None:
            text = (
                f"spec.auth.apiKey.version pins version {pin}, which Vault does not hold (the latest is "
                f"{key.latest.version}); pin one that exists, or remove the pin"
            )
            return KeyPlan(None, None, _state(False, ConditionReason.VERSION_NOT_FOUND, text), None)
        if asked.origin is not None and asked.origin not in record.origins:
            text = (
                f"pinned version {pin} is bound to {', '.join(record.origins) or 'no origin'}, and the endpoint is "
                f"{origin_of(provider.spec.endpoint)}; pin a version imported for this endpoint, or remove the pin"
            )
            return KeyPlan(None, None, _state(False, ConditionReason.ORIGIN_NOT_BOUND, text), None)
        message = f"pinned to version {pin} of {key.latest.version}"
    status = _status(provider, asked, record, version)
    refused = lasting(seen.verdict) if seen.verdict is not None and seen.verdict.version == version else None
    if refused is not None:
        where = (
            f"put a new key into Secret {asked.ref.name}" if asked.ref else f"write a new key to Vault at {asked.path}"
        )
        text = f"the vendor refuses version {version} ({refused.value}); {where}"
        return KeyPlan(None, None, _state(False, refused.value, text), status)
    return KeyPlan(None, None, _state(True, reason, message), status)


def _status(provider: LLMProvider, asked: Question, record: APIKeyRecord | None, version: int) -> CredentialStatus:
    """Return what status says; the Secret is named as the source only while its content is what Vault has seen."""
    known = provider.status.api_key or CredentialStatus()
    imported_from, imported_version = known.imported_from, known.imported_resource_version
    if asked.ref is not None and asked.secret is not None and asked.import_id in asked.held.imports:
        imported_from, imported_version = source(asked.ref), asked.secret.resource_version
    return CredentialStatus(
        version=version,
        origins=record.origins if record is not None else (),
        imported_from=imported_from,
        imported_resource_version=imported_version,
    )


def _state(usable: bool | None, reason: ConditionReason | str, message: str) -> ModeState:
    return ModeState(AuthMode.API_KEY, usable, reason, message)
