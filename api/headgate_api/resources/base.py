"""What all resources share: naming, conditions, object metadata, and how a model carries its CEL rules and columns."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from headgate_api.clock import rfc3339
from headgate_api.reasons import ConditionReason, ConditionType


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL validation rule of a schema (``x-kubernetes-validations``); the message names field, problem and mend."""

    rule: str
    message: str
    field_path: str | None = None

    def to_schema(self) -> dict[str, str]:
        """Return the rule as the API server reads it."""
        out = {"rule": self.rule, "message": self.message}
        if self.field_path is not None:
            out["fieldPath"] = self.field_path
        return out


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column of ``kubectl get``."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


def schema(*rules: Rule, map_key: str | None = None) -> dict[str, Any]:
    """Return ``json_schema_extra`` for a model or field: its CEL rules, and the key when a list is a map."""
    out: dict[str, Any] = {}
    if rules:
        out["x-kubernetes-validations"] = [rule.to_schema() for rule in rules]
    if map_key is not None:
        out |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [map_key]}
    return out


class KubeModel(BaseModel):
    """A model in Kubernetes' spelling: camelCase on the wire, unknown fields ignored as the API server prunes them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object the API server would store: defaults filled in, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; one without a zone is taken as UTC. Raises ValueError where that leaves the calendar."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999 in UTC") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
"""A time with a zone, whatever its spelling: any two can be compared."""

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""The name of another object in the same namespace: there is no namespace field, so none can be crossed."""


_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")

Duration = Annotated[str, Field(min_length=2, max_length=32, pattern=r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$")]
"""A span of time as Kubernetes writes it: ``90s``, ``5m``, ``1h30m``."""


def seconds_of(duration: str) -> int:
    """Return a Duration in seconds. Raises ValueError for what is none."""
    match = _DURATION.fullmatch(duration)
    if match is None or not duration:
        raise ValueError(f"{duration!r} is no duration; write for example 90s, 5m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


class SecretKeyRef(KubeModel):
    """One key of a Secret in the object's own namespace."""

    name: Name = Field(description="Name of the Secret, in this object's namespace.")
    key: str = Field(
        min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$", description="Key in the Secret's data."
    )


class Condition(KubeModel):
    """A standard Kubernetes condition."""

    type: str = Field(description="What was observed.", max_length=316)
    status: Literal["True", "False", "Unknown"]
    observed_generation: int = Field(default=0, ge=0, description="The metadata.generation this was observed on.")
    last_transition_time: Moment = Field(description="When the status last changed.")
    reason: str = Field(description="A stable CamelCase word for programs.", max_length=1024)
    message: str = Field(description="A sentence for people: what is wrong, and what to do.", max_length=32768)

    def to_wire(self) -> dict[str, Any]:
        """Return the condition with its time in Kubernetes' spelling."""
        return super().to_wire() | {"lastTransitionTime": rfc3339(self.last_transition_time)}


@dataclass(frozen=True, slots=True)
class Observation:
    """A condition before it has a time and a generation: what a pure decision returns."""

    type: ConditionType
    status: bool | None
    reason: ConditionReason | str
    message: str


LONGEST_MESSAGE: Final = 4096
"""Characters of a condition's message: a list of a thousand names must not keep a status from being written."""


def merge_conditions(
    current: Iterable[Condition], observed: Iterable[Observation], *, generation: int, now: datetime
) -> list[Condition]:
    """Return the new condition list: a time changes only where the status does, and types not observed disappear."""
    before = {c.type: c for c in current}
    merged = []
    for item in observed:
        status: Literal["True", "False", "Unknown"] = (
            "Unknown" if item.status is None else "True" if item.status else "False"
        )
        old = before.get(item.type)
        since = old.last_transition_time if old is not None and old.status == status else now
        merged.append(
            Condition(
                type=item.type,
                status=status,
                observed_generation=generation,
                last_transition_time=since,
                reason=item.reason,
                message=shortened(item.message),
            )
        )
    return merged


def shortened(message: str) -> str:
    """Return a message of at most ``LONGEST_MESSAGE`` characters."""
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"


def problem_of(error: ValidationError) -> str:
    """Return the first thing wrong with a body, as ``field: what``; never its value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "the body"
    return f"{field}: {first['msg']}"


Conditions = Annotated[
    list[Condition],
    Field(
        default_factory=list,
        description="Observations about this object, one per type.",
        json_schema_extra=schema(map_key="type"),
    ),
]


class ObjectMeta(KubeModel):
    """The part of an object's metadata that Headgate reads."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class Resource(KubeModel):
    """A custom resource: subclasses narrow ``spec`` and ``status`` and say how kubectl shows them."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ()
    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    RULES: ClassVar[tuple[Rule, ...]] = ()
    SCALE: ClassVar[Mapping[str, str] | None] = None
    """The paths of the scale subresource, where the kind has one."""

    metadata: ObjectMeta

    @classmethod
    def from_wire(cls, body: Any) -> Self:
        """Read an object as the API server returns it. Raises pydantic.ValidationError for a body the CRD would refuse.

        A status that cannot be read counts as absent: it is an observation, and will be made again.
        """
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            if not any(part["loc"][:1] == ("status",) for part in error.errors(include_url=False, include_input=False)):
                raise
        return cls.model_validate({key: value for key, value in body.items() if key != "status"})

    @property
    def key(self) -> tuple[str, str]:
        """Return (namespace, name)."""
        return self.metadata.namespace, self.metadata.name
