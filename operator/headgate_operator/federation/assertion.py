"""Has the API server sign an assertion: a token of one ServiceAccount for the vendor's audience, a new one per exchange.

Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

import base64
import json
from dataclasses import dataclass
from typing import Final

from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_operator.federation.settings import Federation
from headgate_runtime.kube import Kube, KubeError

ASSERTION_SECONDS: Final = 3540
"""How long an assertion lives. The vendor issues no token that outlives twice what is left of it, and takes none that was made for
more than an hour: so this is what leaves an hour to mend an outage in, at half of a token's lifetime. Each is exchanged once."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A signed token, and the issuer that it names itself by."""

    token: Secret
    issuer: str


class NoAssertion(Exception):  # noqa: N818 - a state of the cluster
    """The API server signs none. ``status`` is its HTTP status; the message says what to mend."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Assertions:
    """Mints assertions. ``operator``: the user name under which this process is known, for messages."""

    def __init__(self, kube: Kube, redactor: Redactor, *, operator: str) -> None:
        self._kube = kube
        self._redactor = redactor
        self._operator = operator

    async def mint(self, federation: Federation) -> Assertion:
        """Return a new assertion. Raises NoAssertion, KubeError, KubeUnavailable."""
        name, auth = federation.auth.service_account_name, federation.auth
        try:
            status = await self._kube.token_request(
                federation.namespace, name, audiences=[auth.audience], seconds=ASSERTION_SECONDS
            )
        except KubeError as error:
            raise NoAssertion(error.status, self._mend(error, federation)) from None
        token = Secret(str(status.get("token") or ""))
        self._redactor.remember(token)
        if (await self._kube.token_review(token.reveal(), [])).get("authenticated") is True:
            # Whatever names the API server goes by here: what is sent away must not open this cluster.
            raise NoAssertion(
                422,
                f"spec.auth.workloadIdentity.audience {auth.audience} is one that this cluster's own API server takes, so nothing "
                "was sent; use an audience that only the vendor accepts, such as its own URL",
            )
        return Assertion(token, _issuer(token))

    def _mend(self, error: KubeError, federation: Federation) -> str:
        namespace, name = federation.namespace, federation.auth.service_account_name
        if error.status == 404:
            return (
                f"spec.auth.workloadIdentity.serviceAccountName: ServiceAccount {namespace}/{name} does not exist; create it, or "
                "correct the name"
            )
        if error.status == 403:
            rule = f'{{apiGroups: [""], resources: [serviceaccounts/token], resourceNames: [{name}], verbs: [create]}}'
            return (
                f"the operator may not mint tokens of ServiceAccount {namespace}/{name}; add {{namespace: {namespace}, "
                f"name: {name}}} to the chart's value workloadIdentity.serviceAccounts, or bind {self._operator} in namespace "
                f"{namespace} to a Role with the rule {rule}"
            )
        return f"the API server refuses a token of ServiceAccount {namespace}/{name}: {error.message}"


def _issuer(token: Secret) -> str:
    """Return the ``iss`` that a token names, for messages; it is the vendor who verifies it."""
    part = token.reveal().split(".")[1:2]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part[0] + "=" * (-len(part[0]) % 4))) if part else {}
    except ValueError:
        return "(unreadable)"
    return str(claims.get("iss") or "(none)") if isinstance(claims, dict) else "(unreadable)"
