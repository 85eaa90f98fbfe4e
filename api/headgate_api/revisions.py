"""Revisions: the content of a guarded object, named by its hash and kept as a ControllerRevision.

A target is one revision as a whole: a provider with its accounts, or a fleet's image and pod template. The ControllerRevision's
own number tells its history: 0 was never promoted, the highest one is what stable traffic runs on. So promotion is one write.
"""

from typing import Any, Final, Literal

from pydantic import Field

from headgate_api import names
from headgate_api.resources.base import KubeModel
from headgate_api.resources.proxyfleet import PodTemplate
from headgate_api.snapshot import AccountForm, ProviderForm, content_revision

CONTROLLER_REVISION: Final = "ControllerRevision"
API_VERSION: Final = "apps/v1"


class ProviderBundle(KubeModel):
    """A provider with its accounts (by name)."""

    kind: Literal["LLMProvider"] = "LLMProvider"
    provider: ProviderForm
    accounts: dict[str, AccountForm] = Field(default_factory=dict)

    @property
    def revision(self) -> str:
        """Return the content hash: forms carry hashes of their own, which leave out what takes effect at once."""
        return content_revision(self.provider.revision, {name: form.revision for name, form in self.accounts.items()})


class FleetBundle(KubeModel):
    """What of a ProxyFleet is guarded."""

    kind: Literal["ProxyFleet"] = "ProxyFleet"
    image: str
    pod_template: PodTemplate

    @property
    def revision(self) -> str:
        """Return the content hash."""
        return content_revision(self.image, self.pod_template.to_wire())


Bundle = ProviderBundle | FleetBundle


def revision_name(kind: str, name: str, revision: str) -> str:
    """Return the name of the ControllerRevision that keeps this revision of an object."""
    return f"headgate-{kind.lower()}-{name}-{revision}"


def overall_revision(revisions: dict[str, str]) -> str:
    """Return the content revision of a policy's targets together; ``revisions``: {kind/name: content revision}."""
    return next(iter(revisions.values())) if len(revisions) == 1 else content_revision(revisions)


def rollout_revision(content: str, sequence: int) -> str:
    """Return the name of the ``sequence``-th rollout of a policy: no approval given to an earlier one fits it."""
    return f"{content}-{sequence}"


def bundle_of(data: Any) -> Bundle:
    """Read the ``data`` of a ControllerRevision. Raises pydantic.ValidationError."""
    if isinstance(data, dict) and data.get("kind") == "ProxyFleet":
        return FleetBundle.model_validate(data)
    return ProviderBundle.model_validate(data)


def revision_labels(kind: str, name: str, revision: str) -> dict[str, str]:
    """Return the labels by which a ControllerRevision is found."""
    return {
        names.LABEL_MANAGED_BY: names.FIELD_MANAGER,
        names.LABEL_REVISION_KIND: kind,
        names.LABEL_REVISION_NAME: name,
        names.LABEL_REVISION: revision,
    }
