"""Keeping revisions where somebody else's object stands in the way."""

import copy
from typing import TYPE_CHECKING, Any, cast

from headgate_api.revisions import revision_name
from headgate_operator.revisions.history import NONE, histories
from headgate_operator.revisions.store import RevisionStore

from .things import KEY

if TYPE_CHECKING:
    from headgate_runtime.kube import Kube

OWNER = {"kind": "LLMProvider", "metadata": {"name": "claude", "namespace": "team", "uid": "u"}}


class ControllerRevisions:
    """Those of one namespace, as the API server keeps them."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.bodies = {body["metadata"]["name"]: body for body in bodies}

    async def get(self, _kind: object, _namespace: str, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.bodies.get(name))

    async def delete(self, _kind: object, _namespace: str, name: str, *, uid: str) -> None:
        if self.bodies[name]["metadata"]["uid"] == uid:
            del self.bodies[name]

    async def apply(self, body: dict[str, Any], *, force: bool) -> None:
        assert not force
        self.bodies[body["metadata"]["name"]] = body
        body["metadata"] |= {"uid": "new", "resourceVersion": "1"}


async def test_an_impostor_of_that_name_does_not_keep_a_revision_from_being_kept() -> None:
    """Names can be foretold, and only ControllerRevisions with Headgate's label are forbidden to others."""
    name = revision_name("LLMProvider", "claude", "abc")
    impostor = {
        "metadata": {"name": name, "namespace": "team", "uid": "x", "ownerReferences": [{"uid": "u"}]},
        "revision": 7,
        "data": {},
    }
    there = ControllerRevisions(impostor)
    store = RevisionStore(cast("Kube", there), lambda: None)

    await store.keep(OWNER, "abc", {"kind": "LLMProvider"}, NONE, number=1)

    (kept,) = histories(there.bodies.values(), {KEY: "u"})[KEY].kept
    assert (kept.revision, kept.number) == ("abc", 1)
