"""How an auth mode presents itself to an upstream of one protocol: a row of that protocol's mode table (S1.2, S1.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headgate_proxy.protocols.operation import Operation


def _takes(_operation: Operation, _body: bytes) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class ModeRule:
    """One auth mode: the header of its credential, where each operation goes, and what else its requests need.

    ``paths`` follow the endpoint of the mode; an operation that is not there is not served in this mode, and one that has the
    model in its path names the place by ``{model}``, and that of the API's version by ``{version}``. ``root`` goes between the
    two where the endpoint has no path of its own. ``apis`` names the entry of ``spec.apis`` that an operation needs. ``betas``
    are added to the client's in the protocol's beta header. ``account_header`` carries the vendor's id of the account, where its
    record has one. ``objection`` returns what of a body the mode cannot take (the field, and the mend), or None.
    """

    header: str
    prefix: str
    paths: Mapping[Operation, str]
    root: str = ""
    apis: Mapping[Operation, str] = field(default_factory=dict)
    betas: tuple[str, ...] = ()
    account_header: str | None = None
    objection: Callable[[Operation, bytes], str | None] = _takes
