"""What an account's conditions say, by their types."""

from headgate_api.resources import SubscriptionAccount
from headgate_api.resources.base import Condition


def condition(account: SubscriptionAccount, kind: str) -> Condition | None:
    """Return the condition of that type."""
    return next((each for each in account.status.conditions if each.type == kind), None)


def said(found: Condition | None) -> tuple[str, str, str] | None:
    """Return what a condition says, without since when."""
    return None if found is None else (found.status, found.reason, found.message)


def in_words(found: Condition | None) -> str:
    """Return a condition as a sentence."""
    return "the operator has not looked at it yet" if found is None else f"{found.reason}: {found.message}"
