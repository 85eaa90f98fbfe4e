"""Which rollout a request is subject to: the first policy, by name, under which it would be answered otherwise than stable."""

from collections.abc import Mapping
from dataclasses import dataclass

from headgate_api.snapshot import Split
from headgate_proxy.refusal import Refusal
from headgate_proxy.routing.provider import Route
from headgate_proxy.routing.routing import Routing


@dataclass(frozen=True, slots=True)
class Governed:
    """A rollout that decides about a request, and what its candidate makes of it."""

    policy: str
    split: Split
    candidate: Route | Refusal

    @property
    def rollout(self) -> str:
        """Return ``<policy>@<revision>``."""
        return rollout_name(self.policy, self.split)


def rollout_name(policy: str, split: Split) -> str:
    """Return ``<policy>@<revision>``, as headers and relays name a rollout."""
    return f"{policy}@{split.revision}"


def under(routing: Routing, policy: str, split: Split) -> Routing:
    """Return the table that a rollout's candidate answers from: of an image, it is the stable one."""
    return routing if split.lane == "Image" else routing.overlays.get(policy, routing)


def governing(
    routing: Routing,
    rollouts: Mapping[str, Split],
    namespace: str,
    model: str,
    wants: str,
    hint: str | None,
    stable: Route | Refusal,
) -> Governed | None:
    """Return the rollout that a request for ``model`` is subject to; ``stable`` is how the stable table resolves it.

    ``wants`` is what the request wants of the model (``Routing.resolve``).
    """
    for policy in sorted(rollouts):
        split = rollouts[policy]
        if split.lane == "Image":
            return Governed(policy, split, stable)
        overlay = routing.overlays.get(policy)
        if overlay is None:
            continue
        candidate = overlay.resolve(namespace, model, wants, hint)
        if _differs(stable, candidate):
            return Governed(policy, split, candidate)
    return None


def visible(routing: Routing, rollouts: Mapping[str, Split], namespace: str, actor: str, wants: str) -> tuple[str, ...]:
    """Return the models that a caller may use, sorted: testers see what the candidates they test would serve."""
    tested = {policy: split for policy, split in rollouts.items() if actor in split.testers}
    if not tested:
        return routing.models(namespace, wants)
    names = set(routing.models(namespace, wants))
    for policy, split in tested.items():
        names.update(under(routing, policy, split).models(namespace, wants))
    return tuple(
        sorted(name for name in names if isinstance(seen(routing, rollouts, namespace, actor, name, wants), Route))
    )


def seen(
    routing: Routing, rollouts: Mapping[str, Split], namespace: str, actor: str, model: str, wants: str
) -> Route | Refusal:
    """Return how a model resolves for a caller: by the candidate where they test the rollout that governs it."""
    stable = routing.resolve(namespace, model, wants)
    governed = governing(routing, rollouts, namespace, model, wants, None, stable)
    return governed.candidate if governed is not None and actor in governed.split.testers else stable


def _differs(stable: Route | Refusal, candidate: Route | Refusal) -> bool:
    if isinstance(stable, Route) and isinstance(candidate, Route):
        return stable.provider is not candidate.provider  # overlays share what a candidate leaves as it is
    return type(stable) is not type(candidate)
