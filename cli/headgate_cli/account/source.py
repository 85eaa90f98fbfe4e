"""Reading a credential file where it lies: what is wrong with it is told here, before anything is sent anywhere."""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from headgate_api.clock import rfc3339
from headgate_api.resources import LLMProvider, OAuthProfile
from headgate_api.secret import Secret
from headgate_cli.console import USAGE, Refusal
from headgate_cli.view.style import sentence
from headgate_operator.credentials.content import ContentError, PlanCredential, parse_file

STDIN: Final = "-"
MAX_BYTES: Final = 256 * 1024
"""A credential file has a few thousand; a Secret could not hold more than a million."""


@dataclass(frozen=True, slots=True)
class CredentialFile:
    """A credential file that can be used, as it is."""

    content: Secret
    credential: PlanCredential
    where: str


def load(path: str) -> CredentialFile:
    """Read and check a file, or standard input for ``-``. Raises Refusal that names file, field and mend, never content."""
    where = "standard input" if path == STDIN else sentence(path)
    data = _bytes(path, where)
    if len(data) > MAX_BYTES:
        raise Refusal(
            f"{where} holds more than {MAX_BYTES // 1024} KiB, so it is no credential file; name the one that the client wrote"
        )
    try:
        content = Secret(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Refusal(
            f"{where} is not UTF-8 text, so it is no credential file; name the one that the client wrote"
        ) from None
    try:
        return CredentialFile(content, parse_file(content, where), where)
    except ContentError as error:
        raise Refusal(str(error)) from None


def fits(file: CredentialFile, provider: LLMProvider, profile: OAuthProfile | None, now: datetime) -> None:
    """Raises Refusal when the file's credential cannot serve this provider, or cannot serve any more."""
    credential, spoken = file.credential, provider.spec.protocol
    if credential.protocol != spoken:
        raise Refusal(
            f"{file.where} is a credential file of {credential.product}, and LLMProvider {provider.metadata.name} speaks "
            f"{spoken}; import a file of that vendor, or name a provider of protocol {credential.protocol} with --provider"
        )
    if credential.expires_at is None or credential.expires_at > now:
        return
    expired = f"{file.where}: the access token expired at {rfc3339(credential.expires_at)}"
    again = f"use {credential.product} once, so that it renews its file, and import that"
    if credential.refresh_token is None:
        raise Refusal(f"{expired}, and there is no refresh token; {again}")
    if profile is None:
        raise Refusal(
            f"{expired}, and without spec.oauth nothing renews it here; {again}, or give a profile with --oauth-file"
        )


def _bytes(path: str, where: str) -> bytes:
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(path).expanduser().open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "that is no path"
        raise Refusal(
            f"{where} cannot be read: {said}; name the credential file, or - for standard input", USAGE
        ) from None
