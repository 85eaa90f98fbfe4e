"""``account import NAME FILE``: a plan's credential file, checked here, handed to the operator, and followed into Vault."""

import argparse
from typing import Any, Final

from headgate_api.reasons import ConditionReason, ConditionType
from headgate_api.resources import LLMProvider, OAuthProfile, SubscriptionAccount
from headgate_cli import command
from headgate_cli.account import acknowledge, handing, making, options, read, source
from headgate_cli.account.change import change
from headgate_cli.account.conditions import condition, in_words, said
from headgate_cli.account.ending import tell
from headgate_cli.account.handing import Handed
from headgate_cli.account.source import CredentialFile
from headgate_cli.account.waiting import wait
from headgate_cli.cluster.api import Api, Object
from headgate_cli.console import Console, Refusal
from headgate_operator.credentials.content import sign_out_warning
from headgate_runtime.kube_errors import KubeError, KubeUnavailable
from headgate_runtime.kube_kinds import SECRET, SUBSCRIPTION_ACCOUNT

_WAIT_SECONDS: Final = 90.0
"""The operator looks at a Secret it knows once a minute, since it may not watch Secrets."""
_HOPELESS: Final = (
    ConditionReason.SECRET_INVALID,
    ConditionReason.SECRET_FORBIDDEN,
    ConditionReason.ORIGIN_NOT_BOUND,
    ConditionReason.RECORD_INVALID,
    ConditionReason.VAULT_DENIED,
)
"""Reasons why a file is not taken that only somebody's deed changes."""


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "account import",
        "Take over the credential file of Claude Code (~/.claude/.credentials.json), Codex (~/.codex/auth.json) or Gemini CLI "
        "(~/.gemini/oauth_creds.json). Sign that client out afterwards: both would spend the same refresh token.",
    )
    options.add_name(parser)
    parser.add_argument("file", metavar="FILE|-", help="the credential file, unchanged; - for standard input")
    options.add_description(parser)
    options.add_acknowledgement(parser)
    options.add_wait(parser, _WAIT_SECONDS, "the operator to store it in Vault")
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Import the file."""
    file = source.load(arguments.file)
    acknowledge.check(arguments, console)
    found = read.find(api, arguments.namespace, arguments.name)
    account, body = found if found is not None else (None, making.described(arguments))
    if account is not None:
        making.agrees(arguments, account)
    source.fits(file, _provider(api, body), _profile(body), console.clock.now())
    ref = handing.reference(arguments.name, account)
    secret = handing.check(api, arguments.namespace, ref)
    patch = {"spec": {"credential": {"importSecretRef": ref.to_wire()}}}
    _ask_first(api, body, patch, exists=account is not None)
    handed = handing.hand_over(api, arguments.namespace, ref, file.content, secret)
    _name(api, body, patch, handed, exists=account is not None)
    after = _followed(arguments, api, console, handed, account)
    imported = account is None or _grant(account) != _grant(after)
    for line in _outcome(file, after, imported):
        console.say(line)
    after = acknowledge.if_asked(arguments, api, console, after)
    tell(arguments, api, console, after, {"imported": imported})
    return 0


def _provider(api: Api, body: Object) -> LLMProvider:
    return read.provider(api, body["metadata"]["namespace"], body["spec"]["providerRef"]["name"])


def _profile(body: Object) -> OAuthProfile | None:
    return read.of_body(body).spec.oauth


def _ask_first(api: Api, body: Object, patch: Object, *, exists: bool) -> None:
    """Let the API server refuse the account before the file is anywhere in the cluster. Raises KubeError."""
    if not exists:
        api.create(SUBSCRIPTION_ACCOUNT, _merged(body, patch), dry_run=True)
    elif "importSecretRef" not in body["spec"].get("credential", {}):
        api.patch(SUBSCRIPTION_ACCOUNT, body, patch, dry_run=True)


def _name(api: Api, body: Object, patch: Object, handed: Handed, *, exists: bool) -> None:
    """Have the account name the Secret; where that fails, take a Secret away again that was made for it."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    try:
        if not exists:
            api.create(SUBSCRIPTION_ACCOUNT, _merged(body, patch))
        elif "importSecretRef" not in body["spec"].get("credential", {}):
            change(api, namespace, name, patch)
    except (KubeError, KubeUnavailable, Refusal):
        if handed.made:
            api.delete(SECRET, namespace, handed.ref.name)
        raise


def _merged(body: Object, patch: Object) -> Object:
    return {**body, "spec": {**body["spec"], **patch["spec"]}}


def _followed(
    arguments: argparse.Namespace, api: Api, console: Console, handed: Handed, before: SubscriptionAccount | None
) -> SubscriptionAccount:
    """Wait until Vault holds what the file says. Raises Refusal with what is in the way."""
    namespace, kind = arguments.namespace, ConditionType.CREDENTIAL_VALID
    old = said(condition(before, kind)) if before is not None else None

    def look() -> tuple[SubscriptionAccount | None, str]:
        account, _ = read.account(api, namespace, arguments.name)
        valid = condition(account, kind)
        if _taken(account, handed, api):
            return account, ""
        if valid is not None and valid.reason in _HOPELESS and said(valid) != old:
            raise Refusal(_not_taken(in_words(valid), namespace, handed))
        return None, in_words(valid)

    account, progress = wait(console, "the operator to store it in Vault", arguments.wait, look)
    if account is None:
        raise Refusal(_not_taken(f"not within {arguments.wait:g} s; {progress}", namespace, handed))
    return account


def _taken(account: SubscriptionAccount, handed: Handed, api: Api) -> bool:
    known = account.status.credential
    if known is None or known.imported_from != handed.source:
        return False
    if known.imported_resource_version == handed.resource_version:
        return True
    return not handing.holds_file(api, account.metadata.namespace, handed.ref)


def _not_taken(why: str, namespace: str, handed: Handed) -> str:
    return (
        f"the file is not in Vault: {why}. It lies in Secret {namespace}/{handed.ref.name} until that is mended, and is taken over "
        f"then by itself; `kubectl delete secret {handed.ref.name} -n {namespace}` takes it back"
    )


def _grant(account: SubscriptionAccount) -> Any:
    return account.status.credential.grant_id if account.status.credential is not None else None


def _outcome(file: CredentialFile, after: SubscriptionAccount, imported: bool) -> list[str]:
    product = file.credential.product
    if not imported:
        out = [
            f"{read.label(after)}: this very file of {product} was imported before, so the grant in Vault stays as it is: its "
            "tokens may have been renewed since"
        ]
    else:
        out = [f"{read.label(after)}: the credential file of {product} is in Vault"]
    if file.credential.refresh_token is not None:
        out.append(f"Now {sign_out_warning(product)}.")
    return out
