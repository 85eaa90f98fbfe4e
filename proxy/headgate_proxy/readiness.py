"""Whether this proxy should be given requests, and everything a person asks next: pure, read by /readyz.

Being out of touch with the control plane is a detail here, never a reason: the edge outlives the rest.
"""

from itertools import islice
from typing import Any, Final

from headgate_proxy.config.live import LiveConfig
from headgate_proxy.credentials.store import CredentialStore
from headgate_runtime.admin import Health

_SHOWN: Final = 20


def readiness(
    live: LiveConfig,
    credentials: CredentialStore,
    *,
    draining: bool,
    report_problem: str | None,
    certificate_problem: str | None = None,
    reachable: bool = True,
) -> Health:
    """Return the answer to a readiness probe; ``reachable``: there is a certificate for those who need one."""
    missing = {f"{pointer.path} (version {pointer.version})": why for pointer, why in credentials.missing.items()}
    age = live.age_seconds
    details: dict[str, Any] = {
        "revision": live.revision,
        "head": None if live.loaded is None else live.loaded.head.digest,
        "snapshotAgeSeconds": None if age is None else round(age, 3),
        "snapshotRestored": live.restored,
        "snapshotProblem": live.problem,
        "credentials": {
            "held": len(credentials.ages()),
            "missing": len(missing),
            "problems": dict(islice(sorted(missing.items()), _SHOWN)),
        },
        "reportProblem": report_problem,
        "certificateProblem": certificate_problem,
    }
    if draining:
        return Health(ok=False, reason="Draining", details=details)
    if not reachable:
        return Health(ok=False, reason="CertificateUnavailable", details=details)
    if live.routing is None:
        return Health(ok=False, reason="NoSnapshot", details=details)
    if not credentials.usable:
        return Health(ok=False, reason="CredentialsUnavailable", details=details)
    return Health(ok=True, details=details)
