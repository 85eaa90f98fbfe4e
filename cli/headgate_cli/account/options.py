"""What several account commands ask on their command line, checked before anything is sent."""

import argparse
import re
from typing import Final

from headgate_api.resources.base import Name
from headgate_api.resources.subscriptionaccount import Subject

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME: Final = 63
_LONGEST_OBJECT: Final = 253
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_LONGEST_EMAIL: Final = 320
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"


def account_name(value: str) -> Name:
    """Return the name of an account. Raises ArgumentTypeError for what can be none."""
    if not _NAME.fullmatch(value) or len(value) > _LONGEST_NAME:
        raise argparse.ArgumentTypeError(
            f"{value!r} is no name of an account: at most {_LONGEST_NAME} characters, lower case, digits, '-' and '.'"
        )
    return value


def object_name(value: str) -> Name:
    """Return the name of an object. Raises ArgumentTypeError for what can be none."""
    if not _NAME.fullmatch(value) or len(value) > _LONGEST_OBJECT:
        raise argparse.ArgumentTypeError(f"{value!r} is no name of an object: lower case, digits, '-' and '.'")
    return value


def email(value: str) -> str:
    """Return an e-mail address. Raises ArgumentTypeError for what is none."""
    if not _EMAIL.fullmatch(value) or len(value) > _LONGEST_EMAIL or not value.isprintable():
        raise argparse.ArgumentTypeError(
            f"{value!r} is no e-mail address; write that of the plan's holder, such as alice@example.com"
        )
    return value


def subject(value: str) -> Subject:
    """Return who may use an account: ``NAME``, ``NAMESPACE/NAME``, or a ServiceAccount's user name. Raises ArgumentTypeError."""
    namespace, name = None, value
    if value.startswith(_SERVICE_ACCOUNT):
        namespace, _, name = value.removeprefix(_SERVICE_ACCOUNT).partition(":")
    elif "/" in value:
        namespace, _, name = value.partition("/")
    if not all(_NAME.fullmatch(part) for part in (name, *(() if namespace is None else (namespace,)))):
        raise argparse.ArgumentTypeError(
            f"{value!r} names no ServiceAccount; write its name, or NAMESPACE/NAME for one of another namespace"
        )
    return Subject(name=name, namespace=namespace)


def seconds(value: str) -> float:
    """Return a number of seconds, from 0 to a day. Raises ArgumentTypeError."""
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 86400:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of seconds from 0 to 86400")
    return found


def add_name(parser: argparse.ArgumentParser) -> None:
    """Add NAME, the account."""
    parser.add_argument("name", metavar="NAME", type=account_name, help="the SubscriptionAccount")


def add_wait(parser: argparse.ArgumentParser, default: float, what: str) -> None:
    """Add --wait."""
    text = f"how long to wait for {what} (default: {default:g})"
    parser.add_argument("--wait", type=seconds, default=default, metavar="SECONDS", help=text)


def add_description(parser: argparse.ArgumentParser) -> None:
    """Add what an account is made from where there is none yet."""
    made = parser.add_argument_group("to make the account, where there is none yet")
    made.add_argument(
        "--provider", type=object_name, metavar="NAME", help="LLMProvider of this namespace that the plan is for"
    )
    made.add_argument("--email", type=email, metavar="ADDRESS", help="e-mail address of the plan's holder")
    made.add_argument(
        "--subject",
        dest="subjects",
        action="append",
        type=subject,
        default=[],
        metavar="[NAMESPACE/]NAME",
        help="ServiceAccount whose requests may use it; may be repeated",
    )
    made.add_argument(
        "--oauth-file",
        metavar="FILE",
        help="YAML or JSON of spec.oauth: how its tokens are obtained and renewed (see docs/auth.md)",
    )


def add_acknowledgement(parser: argparse.ArgumentParser) -> None:
    """Add the ways to opt in."""
    consent = parser.add_mutually_exclusive_group()
    consent.add_argument("--acknowledge", action="store_true", help="show the risk and ask whether you accept it")
    consent.add_argument(
        "--accept",
        metavar="TEXT_VERSION",
        help="accept the text of this version, which you have read, without being asked",
    )
