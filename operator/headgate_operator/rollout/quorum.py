"""Which proxies must still acknowledge a head: everyone who may be acting on an older one (design, guarantee 1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from headgate_api.report import WEIGHT_TTL_SECONDS
from headgate_operator.broker.reports import Heard


@dataclass(frozen=True, slots=True)
class Proxy:
    """A pod that may serve: it runs, and began at ``began``. ``leaving``: it is stopping, and acts on what it last knew."""

    pod: str
    began: datetime
    leaving: bool = False


def proxies_in(pods: Iterable[Mapping[str, object]]) -> list[Proxy]:
    """Return the pods (given as JSON) that may be serving; one that has not begun holds no head."""
    found = []
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status") or {}
        if not isinstance(metadata, Mapping) or not isinstance(status, Mapping):
            continue
        started = status.get("startTime")
        if status.get("phase") == "Running" and isinstance(started, str):
            gone = metadata.get("deletionTimestamp") is not None
            found.append(Proxy(str(metadata["name"]), datetime.fromisoformat(started), gone))
    return found


def waiting(
    proxies: Iterable[Proxy], heard: Mapping[str, Heard], digest: str, now: datetime, term_seconds: float
) -> tuple[str, ...]:
    """Return the pods that have yet to acknowledge the head ``digest``.

    ``heard``: the last word of each pod that spoke to this leader, ``term_seconds`` ago at most. A pod that is silent counts
    until its weight TTL has passed since it was last heard: what a former leader heard of it counts as this term's beginning.
    """
    behind = []
    for proxy in proxies:
        last = heard.get(proxy.pod)
        if last is not None and last.head == digest:
            continue
        silent = last.seconds if last is not None else min((now - proxy.began).total_seconds(), term_seconds)
        if silent < WEIGHT_TTL_SECONDS and not (proxy.leaving and last is None):
            behind.append(proxy.pod)
    return tuple(sorted(behind))
