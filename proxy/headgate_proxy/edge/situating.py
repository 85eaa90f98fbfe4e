"""What selection looks at for one request: this proxy's memory as it stands, seen from the request's model and session."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from multidict import CIMultiDict

from headgate_api.reasons import AuthMode
from headgate_api.resources.rolloutspec import DEFAULT_STICKINESS
from headgate_proxy.callers.caller import Caller
from headgate_proxy.edge.ports import Credentials
from headgate_proxy.selection.select import Situation
from headgate_proxy.selection.verdicts import Verdicts
from headgate_proxy.tracks.stickiness import sticky_key
from headgate_proxy.upstream.call import Call


@dataclass(slots=True)
class Situating:
    """Makes a Situation for each selection of one request."""

    call: Call
    caller: Caller
    _sticky: str | None = field(default=None, init=False)

    def now(
        self, credentials: Credentials, verdicts: Verdicts, now: datetime, unfit: Collection[AuthMode]
    ) -> Situation:
        """Return what selection looks at now."""
        model, limits = self.call.place.model, verdicts.limits
        return Situation(
            credentials.get,
            verdicts.against,
            now,
            unfit,
            limit=lambda held: limits.in_force(held.scope, model, now),
            used=lambda held: limits.used(held.scope, model, now),
            session=self._session,
        )

    def _session(self) -> str:
        """Return what keeps a conversation on its account: the same as what keeps it on its track."""
        if self._sticky is None:
            headers = CIMultiDict(self.call.headers)
            self._sticky = sticky_key(DEFAULT_STICKINESS, headers, self.caller, self.call.body).value
        return self._sticky
