"""What reports and their answers carry of limits: this proxy's news one way, everybody else's the other.

The cursor says how far the broker has told; when it names another term, another broker leads, which knows nothing of what
the one before was told.
"""

import logging

from headgate_api.report import ProxyReport, ReportAnswer
from headgate_api.resources.limits import LimitObservation
from headgate_proxy.selection.limits import Limits

_log = logging.getLogger(__name__)


class LimitsExchange:
    """``news`` and ``cursor`` go into a report; ``answered`` takes what came of it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.cursor = ""

    def news(self) -> tuple[LimitObservation, ...]:
        """Return what the next report says of limits."""
        return self._limits.news()

    def answered(self, report: ProxyReport, answer: ReportAnswer) -> None:
        """Take the answer to a report that the broker accepted, and keep what is known for a restart."""
        if answer.limits_cursor:  # without one, the broker does not know yet whom this fleet serves
            self._limits.reported(report.limits)
            if self.cursor and _term(self.cursor) != _term(answer.limits_cursor):
                self._limits.report_all()
            self.cursor = answer.limits_cursor
        self._limits.learn(answer.limits)
        try:
            self._limits.keep()
        except OSError as error:
            _log.warning("limits could not be kept for a restart", extra={"problem": str(error)})


def _term(cursor: str) -> str:
    return cursor.partition(":")[0]
