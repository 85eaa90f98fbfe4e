"""Where a look at an account hands over what takes time at a vendor: renewals, revocations, questions about usage."""

from dataclasses import dataclass, field

from headgate_operator.credentials.seams import NoRefreshes, NoRevocations, RefreshQueue, RevocationQueue, UsagePolls
from headgate_operator.limits.poller import NoPolls


@dataclass(frozen=True, slots=True)
class AccountQueues:
    """The queues of a term. Left out: one that does nothing, for a process that only looks."""

    refreshes: RefreshQueue = field(default_factory=NoRefreshes)
    revocations: RevocationQueue = field(default_factory=NoRevocations)
    polls: UsagePolls = field(default_factory=NoPolls)
