"""What is measured and what it may cost: the speed budget of the design as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final


@dataclass(slots=True)
class Figure:
    """One figure, sampled once per round for the gate and for the floor; ``budget`` None: told for comparison only."""

    name: str
    unit: str
    budget: float | None
    gate: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    @property
    def met(self) -> bool | None:
        """Tell whether the median is within the budget, None where there is none."""
        return None if self.budget is None else median(self.gate) <= self.budget

    @property
    def ratio(self) -> float:
        """Return the median over rounds of gate / floor: both of one round met the same noise."""
        return median(ours / least for ours, least in zip(self.gate, self.floor, strict=True))


_HEAD: Final = ("figure", "unit", "gate", "budget", "", "floor", "gate/floor", "rounds")


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned text."""
    rows = [_HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(figure: Figure) -> tuple[str, ...]:
    budget = "-" if figure.budget is None else f"{figure.budget:g}"
    verdict = {None: "", True: "ok", False: "OVER"}[figure.met]
    spread = f"{min(figure.gate):.1f}..{max(figure.gate):.1f} ({len(figure.gate)})"
    return (
        figure.name,
        figure.unit,
        f"{median(figure.gate):.1f}",
        budget,
        verdict,
        f"{median(figure.floor):.1f}",
        f"{figure.ratio:.2f}",
        spread,
    )
