"""Reads what credential plans depend on; every credential seen here is known to the redactor from then on."""

from typing import Final

from headgate_api.reasons import ConditionReason
from headgate_api.redaction import Redactor
from headgate_api.resources.base import SecretKeyRef
from headgate_api.secret import Secret
from headgate_api.vault import AccessRecord, APIKeyRecord, FederatedRecord, GrantRecord
from headgate_operator.credentials.content import ContentError, parse_file
from headgate_operator.credentials.secretview import SecretView, forbidden, view
from headgate_operator.credentials.store import Stored
from headgate_runtime.kube import Kube, KubeError
from headgate_runtime.kube_kinds import SECRET
from headgate_runtime.vault_errors import VaultDenied, VaultError

_LONGEST_REMEMBERED: Final = 64 * 1024


async def secret_view(kube: Kube, redactor: Redactor, namespace: str, ref: SecretKeyRef | None) -> SecretView | None:
    """Return one key of a Secret, or None when no Secret is named or there is none. Raises KubeError, KubeUnavailable."""
    if ref is None:
        return None
    try:
        body = await kube.get(SECRET, namespace, ref.name)
    except KubeError as error:
        if error.status != 403:
            raise
        return forbidden(namespace, ref, error.message)
    if body is None:
        return None
    seen = view(body, ref)
    if seen.content is not None:
        _remember_content(redactor, seen.content)
    return seen


def trouble_reason(trouble: VaultError | None) -> ConditionReason:
    """Return the reason for conditions: does waiting help (Vault is away), or must somebody change something?"""
    return ConditionReason.VAULT_DENIED if isinstance(trouble, VaultDenied) else ConditionReason.VAULT_UNAVAILABLE


def remember(
    redactor: Redactor,
    stored: Stored[APIKeyRecord] | Stored[AccessRecord] | Stored[GrantRecord] | Stored[FederatedRecord],
) -> None:
    """Make the credentials of a record known to the redactor."""
    record = stored.record
    if isinstance(record, APIKeyRecord):
        redactor.remember(record.value)
    elif record is not None:
        redactor.remember(record.access_token)
        if isinstance(record, GrantRecord) and record.refresh_token is not None:
            redactor.remember(record.refresh_token)
    holder = record if isinstance(record, GrantRecord) else stored.forgotten
    for gone in holder.revoking if holder is not None else ():
        for token in (gone.access_token, gone.refresh_token):
            if token is not None:
                redactor.remember(token)


def _remember_content(redactor: Redactor, content: Secret) -> None:
    if len(content.reveal()) > _LONGEST_REMEMBERED:
        return  # no credential is as long, so it is refused, and refused content is never shown
    redactor.remember(Secret(content.reveal().strip()))
    try:
        parsed = parse_file(content, "")
    except ContentError:
        return
    for token in (parsed.access_token, parsed.refresh_token):
        if token is not None:
            redactor.remember(token)
