"""The Secret by which a credential file reaches the operator, which takes it into Vault and empties the Secret.

The Secret and the reference to it stay: emptied, it holds nothing, and the next import needs no change of the account's spec, which
on a guarded provider would be a change to roll out.
"""

import base64
from dataclasses import dataclass
from typing import Final

from headgate_api import names
from headgate_api.resources import SubscriptionAccount
from headgate_api.resources.base import SecretKeyRef
from headgate_api.secret import Secret
from headgate_cli.cluster.api import FIELD_MANAGER, Api, Object
from headgate_cli.console import Refusal
from headgate_operator.credentials.secretview import view
from headgate_runtime.kube_errors import Conflict
from headgate_runtime.kube_kinds import SECRET

KEY: Final = "credentials.json"


@dataclass(frozen=True, slots=True)
class Handed:
    """The key that holds the file. ``resource_version``: that of the Secret with the file in it."""

    ref: SecretKeyRef
    resource_version: str
    made: bool

    @property
    def source(self) -> str:
        """Return how an account's status names it."""
        return f"{self.ref.name}/{self.ref.key}"


def reference(name: str, account: SubscriptionAccount | None) -> SecretKeyRef:
    """Return the key that takes an account's file: the one it names already, else one that is named after it."""
    named = account.spec.credential.import_secret_ref if account is not None else None
    return named or SecretKeyRef(name=secret_name(name), key=KEY)


def secret_name(name: str) -> str:
    """Return the name of the Secret that commands make for an account."""
    return f"headgate-import-{name}"


def is_ours(body: Object) -> bool:
    """Tell whether a command made this Secret."""
    labels = body["metadata"].get("labels") or {}
    return bool(labels.get(names.LABEL_MANAGED_BY) == FIELD_MANAGER)


def check(api: Api, namespace: str, ref: SecretKeyRef) -> Object | None:
    """Return the Secret as it stands, None where there is none. Raises Refusal when a file must not be put there."""
    body = api.get(SECRET, namespace, ref.name)
    if body is None:
        return None
    seen = view(body, ref)
    if seen.kept is not None:
        raise Refusal(
            f"Secret {namespace}/{ref.name} is not the place for a file from here: {seen.kept}. Put the new file where that "
            "comes from, or name another Secret in spec.credential.importSecretRef"
        )
    if seen.problem is not None and seen.content is None and ref.key not in seen.keys:
        raise Refusal(seen.problem)
    return body


def hand_over(api: Api, namespace: str, ref: SecretKeyRef, content: Secret, seen: Object | None) -> Handed:
    """Put the file into the Secret as it was seen. Raises Refusal, KubeError."""
    data = {ref.key: base64.b64encode(content.reveal().encode()).decode()}
    try:
        if seen is not None:
            written = api.patch(SECRET, seen, {"data": data})
        else:
            labels = {names.LABEL_MANAGED_BY: FIELD_MANAGER}
            metadata = {"name": ref.name, "namespace": namespace, "labels": labels}
            written = api.create(
                SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
            )
    except Conflict:
        raise Refusal(
            f"Secret {namespace}/{ref.name} was changed by somebody else just now; run the command again"
        ) from None
    return Handed(ref, written["metadata"]["resourceVersion"], seen is None)


def holds_file(api: Api, namespace: str, ref: SecretKeyRef) -> bool:
    """Tell whether the Secret still holds the file. Raises KubeError."""
    body = api.get(SECRET, namespace, ref.name)
    return body is not None and ref.key in (body.get("data") or {})
