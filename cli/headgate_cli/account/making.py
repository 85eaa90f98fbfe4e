"""The account that a command line describes: a new one needs its provider, its holder and its users named outright."""

import argparse
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from headgate_api import names
from headgate_api.resources import OAuthProfile, SubscriptionAccount
from headgate_api.resources.base import problem_of
from headgate_api.resources.subscriptionaccount import Subject
from headgate_cli.account import read
from headgate_cli.cluster.api import Object
from headgate_cli.console import USAGE, Refusal
from headgate_cli.view.style import sentence


def described(arguments: argparse.Namespace) -> Object:
    """Return the account that the options describe. Raises Refusal that names the option that is missing."""
    missing = f"SubscriptionAccount {arguments.namespace}/{arguments.name} does not exist yet, so it is made now"
    if arguments.email is None:
        raise Refusal(
            f"{missing}: whose plan is it? Name its holder with --email, such as --email alice@example.com", USAGE
        )
    if arguments.provider is None:
        raise Refusal(
            f"{missing}: which LLMProvider is the plan for? Name it with --provider (`kubectl get llmproviders -n "
            f"{arguments.namespace}` lists them)",
            USAGE,
        )
    if not arguments.subjects:
        raise Refusal(
            f"{missing}: whose requests may use it? Name their ServiceAccount with --subject; for an account that all callers "
            "share, apply a SubscriptionAccount with sharing: Pool first",
            USAGE,
        )
    spec: dict[str, Any] = {
        "providerRef": {"name": arguments.provider},
        "owner": {"email": arguments.email, "subjects": [each.to_wire() for each in arguments.subjects]},
    }
    profile = oauth(arguments.oauth_file)
    if profile is not None:
        spec["oauth"] = profile
    return {
        "apiVersion": names.API_VERSION,
        "kind": SubscriptionAccount.KIND,
        "metadata": {"name": arguments.name, "namespace": arguments.namespace},
        "spec": spec,
    }


def agrees(arguments: argparse.Namespace, account: SubscriptionAccount) -> None:
    """Raises Refusal when the options describe another account than the one that is there: nothing is changed in passing."""
    spec, label = account.spec, f"SubscriptionAccount {read.label(account)}"
    if arguments.provider not in (None, spec.provider_ref.name):
        raise Refusal(
            f"{label} is for LLMProvider {spec.provider_ref.name}, not {arguments.provider}; make an account of another name"
        )
    if arguments.email not in (None, spec.owner.email):
        raise Refusal(
            f"{label} is that of {spec.owner.email}, not of {arguments.email}; make an account of another name, or correct "
            "spec.owner.email first"
        )
    there = {_place(account, each) for each in spec.owner.subjects}
    for each in arguments.subjects:
        if _place(account, each) not in there:
            raise Refusal(
                f"{label} does not name ServiceAccount {each.name} in spec.owner.subjects; add it there first"
            )
    if arguments.oauth_file is not None:
        raise Refusal(f"{label} exists, and --oauth-file makes new ones only; set spec.oauth there")


def oauth(path: str | None) -> dict[str, Any] | None:
    """Return the OAuth profile in a file, as the API server takes it. Raises Refusal that names file, field and mend."""
    if path is None:
        return None
    where = f"--oauth-file {sentence(path)}"
    try:
        found = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refusal(
            f"{where} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}", USAGE
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise Refusal(
            f"{where} is no YAML{f' (line {mark.line + 1})' if mark else ''}; write the fields of spec.oauth"
        ) from None
    try:
        OAuthProfile.model_validate(found)
    except ValidationError as error:
        raise Refusal(
            f"{where}: {problem_of(error)}; write the fields of spec.oauth as docs/auth.md has them"
        ) from None
    return dict(found)


def _place(account: SubscriptionAccount, subject: Subject) -> tuple[str, str]:
    return subject.namespace or account.metadata.namespace, subject.name
