"""How much of its plan an account has used: two windows, which tests set and which start anew when their time comes.

Anthropic's plans call them five_hour and seven_day, the Codex backend primary and secondary; both are the same two lengths.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

FIVE_HOURS: Final = timedelta(hours=5)
SEVEN_DAYS: Final = timedelta(days=7)
_ORIGIN = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
_FULL = 100.0


class Window(BaseModel):
    """One window: percent used until ``resets_at``, when it is empty again (None: a regular moment, and it never empties)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    used_percent: Annotated[float, Field(ge=0, le=_FULL)]
    resets_at: AwareDatetime | None = None

    def at(self, now: datetime, length: timedelta) -> "Reading":
        """Return what this window says at ``now``."""
        regular = now + length - (now - _ORIGIN) % length
        if self.resets_at is None:
            return Reading(self.used_percent, regular, length)
        if now >= self.resets_at:
            return Reading(0.0, self.resets_at + length * (1 + (now - self.resets_at) // length), length)
        return Reading(self.used_percent, self.resets_at, length)


class Plan(BaseModel):
    """An account's plan; ``type`` is what OpenAI calls it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    five_hours: Window = Window(used_percent=25.0)
    seven_days: Window = Window(used_percent=10.0)
    type: str = "pro"

    def at(self, now: datetime) -> "PlanReading":
        """Return what both windows say at ``now``."""
        return PlanReading(self.five_hours.at(now, FIVE_HOURS), self.seven_days.at(now, SEVEN_DAYS), self.type)

    def used_up(self, until: datetime) -> "Plan":
        """Return this plan with its five hours used up until ``until``."""
        return self.model_copy(update={"five_hours": Window(used_percent=_FULL, resets_at=until)})


@dataclass(frozen=True)
class Reading:
    """One window at one moment."""

    used_percent: float
    resets_at: datetime
    length: timedelta

    @property
    def full(self) -> bool:
        """Say whether nothing is left."""
        return self.used_percent >= _FULL


@dataclass(frozen=True)
class PlanReading:
    """Both windows at one moment."""

    five_hours: Reading
    seven_days: Reading
    type: str

    @property
    def binding(self) -> Reading:
        """Return the window that matters: of full ones the one that resets last, else the fuller one."""
        return max(self.five_hours, self.seven_days, key=lambda each: (each.used_percent, each.resets_at))

    @property
    def full(self) -> bool:
        """Say whether the plan lets no request through."""
        return self.binding.full
