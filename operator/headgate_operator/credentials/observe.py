"""Reads what credential plans depend on; every credential seen here is known to the redactor from then on."""

from headgate_api.redaction import Redactor
from headgate_api.resources.base import SecretKeyRef
from headgate_api.secret import Secret
from headgate_api.vault import AccessRecord, APIKeyRecord, GrantRecord
from headgate_operator.credentials.content import ContentError, parse_plan
from headgate_operator.credentials.secretview import SecretView, view
from headgate_operator.credentials.store import Stored
from headgate_runtime.kube import Kube
from headgate_runtime.kube_kinds import SECRET


async def secret_view(kube: Kube, redactor: Redactor, namespace: str, ref: SecretKeyRef | None) -> SecretView | None:
    """Return one key of a Secret, or None when no Secret is named or there is none. Raises KubeError, KubeUnavailable."""
    if ref is None:
        return None
    body = await kube.get(SECRET, namespace, ref.name)
    if body is None:
        return None
    seen = view(body, ref)
    if seen.content is not None:
        _remember_content(redactor, seen.content)
    return seen


def remember(redactor: Redactor, stored: Stored[APIKeyRecord] | Stored[AccessRecord] | Stored[GrantRecord]) -> None:
    """Make the credentials of a record known to the redactor."""
    record = stored.record
    if isinstance(record, APIKeyRecord):
        redactor.remember(record.value)
    elif record is not None:
        redactor.remember(record.access_token)
        if isinstance(record, GrantRecord) and record.refresh_token is not None:
            redactor.remember(record.refresh_token)


def _remember_content(redactor: Redactor, content: Secret) -> None:
    redactor.remember(Secret(content.reveal().strip()))
    try:
        parsed = parse_plan(content, "")
    except ContentError:
        return
    for token in (parsed.access_token, parsed.refresh_token):
        if token is not None:
            redactor.remember(token)
