"""An identity profile made ready for requests: what an administrator wrote in ``spec.auth.subscription.identity``.

Headgate ships no profile. Without one the client's own identity passes through, and nothing here has any part in it (B11).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate_api.resources.auth import SubscriptionAuth
from headgate_proxy.identity.words import Words


@dataclass(frozen=True, slots=True)
class Identity:
    """A profile. ``names`` are the upstream's names of tools, by the client's; no two are the same.

    ``headers`` are set on the request instead of the client's of the same name (of ``anthropic-beta`` both are kept).
    """

    headers: Mapping[str, str]
    preamble: str | None
    names: Mapping[str, str]
    words: Words = field(init=False, repr=False, compare=False)
    """What to look for in a request: names of both sides, and who may speak a chat's system context."""

    def __post_init__(self) -> None:
        words = {*self.names, *self.names.values(), "system", "developer"}
        object.__setattr__(self, "words", Words(words))


def identity_of(auth: SubscriptionAuth | None) -> Identity | None:
    """Return the profile that subscription requests present, or None where the client's own identity passes through."""
    if auth is None or auth.identity.type != "Profile":
        return None
    profile = auth.identity
    names = {client: upstream for client, upstream in profile.tool_names.items() if client != upstream}
    return Identity(profile.headers, profile.system_preamble, names)
