"""Scripted faults that look the same whoever the vendor is: what stands in front of every API."""

from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.vendor import Answer

_BAD_GATEWAY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)


def before_the_api(fault: Fault) -> Answer | None:
    """Return the answer of a load balancer or a redirect; None when the API itself has to word ``fault``."""
    extra = tuple(fault.headers.items())
    if fault.kind is FaultKind.BAD_GATEWAY:
        return Answer(fault.status or 502, (("content-type", "text/html"), *extra), (_BAD_GATEWAY_PAGE,))
    if fault.kind is FaultKind.REDIRECT:
        return Answer(fault.status or 307, (("location", fault.location or ""), *extra), (b"",))
    return None
