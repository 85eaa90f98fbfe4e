"""The kept revisions of one object, as read from ControllerRevisions: pure, and deaf to those of a former object of that name."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from headgate_api import names
from headgate_api.resources import RolloutPolicy, RolloutPolicySpec
from headgate_api.revisions import bundle_of
from headgate_operator.engine.keys import Key
from headgate_operator.revisions.bundles import Form

ANNOTATION_GENERATION: Final = f"{names.GROUP}/generation"
"""On a ControllerRevision: the generations that carried its content last, a line ``<kind>/<name>/<uid>=<generation>`` each."""
ANNOTATION_WITHDRAWN: Final = f"{names.GROUP}/withdrawn"
"""On a ControllerRevision: the rollout that was about to promote it, and was withdrawn."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One ControllerRevision. ``number`` 0: never promoted. ``form`` or ``policy`` is its content; neither, where this
    build cannot read it.
    """

    name: str
    resource_version: str
    uid: str
    revision: str
    number: int
    form: Form | None = None
    policy: RolloutPolicySpec | None = None
    generations: Mapping[str, int] | None = None
    """By ``kind/name/uid``; None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class History:
    """All kept revisions of an object."""

    kept: tuple[Kept, ...] = ()

    @property
    def stable(self) -> Kept | None:
        """Return what stable traffic runs on: the revision that was promoted last."""
        promoted = [k for k in self.kept if k.number > 0]
        return max(promoted, key=lambda k: k.number, default=None)

    @property
    def highest(self) -> int:
        """Return the number of the last promotion; 0 before the first."""
        return max((k.number for k in self.kept), default=0)

    def find(self, revision: str) -> Kept | None:
        """Return what is kept of a content revision."""
        return next((k for k in self.kept if k.revision == revision), None)


NONE: Final = History()


def histories(bodies: Iterable[Mapping[str, Any]], uids: Mapping[Key, str]) -> dict[Key, History]:
    """Return the history of each object in ``uids`` that has one, from ControllerRevisions given as JSON.

    A ControllerRevision that names another uid as its owner belonged to an object that is gone, and counts as absent.
    """
    found: dict[Key, list[Kept]] = {}
    for body in bodies:
        labels = body["metadata"].get("labels") or {}
        kind, name = labels.get(names.LABEL_REVISION_KIND), labels.get(names.LABEL_REVISION_NAME)
        if kind is None or name is None:
            continue
        key = Key(kind, body["metadata"]["namespace"], name)
        owners = {o.get("uid") for o in body["metadata"].get("ownerReferences") or ()}
        if key in uids and uids[key] in owners and not body["metadata"].get("deletionTimestamp"):
            found.setdefault(key, []).append(_read(body, labels.get(names.LABEL_REVISION, "")))
    return {key: History(tuple(sorted(kept, key=lambda k: (k.number, k.name)))) for key, kept in found.items()}


def generations_text(generations: Mapping[str, int]) -> str:
    """Return the value of ``ANNOTATION_GENERATION``."""
    return "\n".join(f"{label}={number}" for label, number in sorted(generations.items()))


def _read(body: Mapping[str, Any], revision: str) -> Kept:
    metadata, data = body["metadata"], body.get("data")
    form, policy = None, None
    with contextlib.suppress(ValidationError):
        if isinstance(data, dict) and data.get("kind") == RolloutPolicy.KIND:
            policy = RolloutPolicySpec.model_validate(data.get("spec"))
        else:
            form = Form(revision, bundle_of(data))
    return Kept(
        name=metadata["name"],
        resource_version=metadata["resourceVersion"],
        uid=metadata.get("uid", ""),
        revision=revision,
        number=int(body.get("revision") or 0),
        form=form,
        policy=policy,
        generations=_generations((metadata.get("annotations") or {}).get(ANNOTATION_GENERATION)),
    )


def _generations(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    try:
        return {label: int(number) for label, _, number in (line.rpartition("=") for line in text.splitlines())}
    except ValueError:
        return None
