"""A caller: the workload behind a verified ServiceAccount token."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token was issued to (the claim ``kubernetes.io`` of a bound ServiceAccount token)."""

    namespace: str
    service_account: str
    uid: str
    pod: str | None = None
    pod_uid: str | None = None

    @property
    def actor(self) -> str:
        """Return the user name the API server gives this ServiceAccount."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"
