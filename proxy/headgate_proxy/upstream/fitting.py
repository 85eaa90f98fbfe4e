"""Which auth modes of a provider cannot take a request as it is; nothing of it is altered to make it fit (B8)."""

from collections.abc import Mapping

from headgate_api.reasons import AuthMode
from headgate_proxy.protocols.dialect import Dialect
from headgate_proxy.protocols.operation import PATHS, Operation
from headgate_proxy.routing.provider import Provider


def unfit(provider: Provider, dialect: Dialect, operation: Operation, body: bytes) -> Mapping[AuthMode, str]:
    """Return the modes that must be passed over for this request, each with what is wrong and the mend."""
    found: dict[AuthMode, str] = {}
    for mode in provider.spec.auth.modes:
        if operation not in provider.serves.get(mode, ()):
            found[mode] = f"{mode} does not serve {PATHS[operation]}{_instead(provider, mode)}"
        elif (problem := dialect.modes[mode].objection(operation, body)) is not None:
            found[mode] = problem
    return found


def _instead(provider: Provider, mode: AuthMode) -> str:
    paths = [path for operation, path in PATHS.items() if operation in provider.serves.get(mode, ())]
    return f"; ask at {' or '.join(paths)}" if paths else ""
