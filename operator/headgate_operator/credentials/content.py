"""What people put into credential Secrets, checked before it is stored: each mistake is named with its mend.

Nothing here echoes content: an error names the Secret, the key and the field, and what a right one looks like.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from headgate_api.secret import Secret
from headgate_operator.credentials.fields import ContentError, Fields, claimed_expiry, claims, visible_token

CLAUDE_CODE: Final = "Claude Code"
CODEX: Final = "Codex"
GEMINI_CLI: Final = "Gemini CLI"
_PRODUCTS: Final = f"{CLAUDE_CODE}, {CODEX} or {GEMINI_CLI}"
_PROTOCOLS: Final = {CLAUDE_CODE: "Anthropic", CODEX: "OpenAI", GEMINI_CLI: "Gemini"}
_OPENAI_CLAIM: Final = "https://api.openai.com/auth"
_WORD: Final = re.compile(r"[\x21-\x7e]+")
_LONGEST_ACCOUNT: Final = 256


@dataclass(frozen=True, slots=True)
class PlanCredential:
    """The OAuth part of a credential file. ``product``: the command-line client that wrote it."""

    access_token: Secret
    refresh_token: Secret | None
    expires_at: datetime | None
    scopes: tuple[str, ...]
    product: str = CLAUDE_CODE
    account_id: str | None = None

    @property
    def protocol(self) -> str:
        """Return the wire protocol of the vendor whose credential it is."""
        return _PROTOCOLS[self.product]

    def identity(self) -> Secret:
        """Return what makes this credential this one: its tokens, however the file around them is formatted."""
        refresh = self.refresh_token.reveal() if self.refresh_token is not None else ""
        return Secret(json.dumps([self.access_token.reveal(), refresh]))


def parse_api_key(content: Secret, where: str) -> Secret:
    """Return the API key that ``content`` holds: one trailing line break is forgiven, nothing else.

    ``where`` names Secret and key for people. Raises ContentError.
    """
    value = content.reveal()
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise ContentError(f"{where} is empty; put the API key into it")
    return Secret(visible_token(value, where, "put the API key alone into it, without quotes, blanks or line breaks"))


def parse_file(content: Secret, where: str) -> PlanCredential:
    """Return the OAuth part of a credential file of Claude Code, Codex or Gemini CLI, told apart by shape.

    Raises ContentError.
    """
    document = _document(content, where)
    if "claudeAiOauth" in document:
        return _claude_code(document, where)
    if "tokens" in document or "OPENAI_API_KEY" in document:
        return _codex(document, where)
    if "access_token" in document or "refresh_token" in document:
        return _gemini_cli(document, where)
    raise ContentError(
        f"{where} has no field claudeAiOauth, tokens or access_token; put the credential file of {_PRODUCTS} into it, unchanged "
        "(an API key belongs into an LLMProvider's spec.auth.apiKey)"
    )


def sign_out_warning(product: str) -> str:
    """Return what to tell whoever imports a file with a refresh token."""
    return (
        f"sign out of {product} where the file comes from, and delete the file: refresh tokens are single-use, so whoever "
        "refreshes second ends the sign-in for both"
    )


def _document(content: Secret, where: str) -> dict[str, Any]:
    text = content.reveal()
    if not text.strip():
        raise ContentError(f"{where} is empty; put the credential file (JSON) of {_PRODUCTS} into it")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ContentError(f"{where} is not JSON; put the credential file of {_PRODUCTS} into it, unchanged") from None
    if not isinstance(document, dict):
        raise ContentError(
            f"{where} is JSON but not an object; put the credential file of {_PRODUCTS} into it, unchanged"
        )
    return document


def _inner(document: dict[str, Any], name: str, where: str, product: str) -> Fields:
    found = document[name]
    if not isinstance(found, dict):
        raise ContentError(f"{where}: field {name} is not an object; sign in again with {product} and copy the file")
    return Fields(found, where, f"{name}.", product)


def _claude_code(document: dict[str, Any], where: str) -> PlanCredential:
    """``claudeAiOauth.{accessToken, refreshToken, expiresAt (ms), scopes}``."""
    oauth = _inner(document, "claudeAiOauth", where, CLAUDE_CODE)
    return PlanCredential(
        access_token=oauth.needed("accessToken"),
        refresh_token=oauth.token("refreshToken"),
        expires_at=oauth.milliseconds("expiresAt"),
        scopes=oauth.strings("scopes"),
        product=CLAUDE_CODE,
    )


def _codex(document: dict[str, Any], where: str) -> PlanCredential:
    """``tokens.{id_token, access_token, refresh_token, account_id}``, ``last_refresh``; the expiry stands in the token."""
    if document.get("tokens") is None:
        raise ContentError(
            f"{where} is a {CODEX} file of an API key, without field tokens; sign in with ChatGPT and copy the file, or put "
            "the key into an LLMProvider's spec.auth.apiKey"
        )
    tokens = _inner(document, "tokens", where, CODEX)
    access, id_token = tokens.needed("access_token"), tokens.token("id_token")
    return PlanCredential(
        access_token=access,
        refresh_token=tokens.token("refresh_token"),
        expires_at=claimed_expiry(access),
        scopes=(),
        product=CODEX,
        account_id=tokens.text("account_id") or openai_account(access, id_token),
    )


def openai_account(*tokens: Secret | None) -> str | None:
    """Return the account that OpenAI's tokens claim to be of, from the first that names one."""
    for token in tokens:
        claim = claims(token).get(_OPENAI_CLAIM)
        found = claim.get("chatgpt_account_id") if isinstance(claim, dict) else None
        if isinstance(found, str) and found and len(found) <= _LONGEST_ACCOUNT and _WORD.fullmatch(found):
            return found
    return None


def _gemini_cli(document: dict[str, Any], where: str) -> PlanCredential:
    """``access_token, refresh_token, expiry_date (ms), id_token, scope``."""
    fields = Fields(document, where, "", GEMINI_CLI)
    fields.token("id_token")
    return PlanCredential(
        access_token=fields.needed("access_token"),
        refresh_token=fields.token("refresh_token"),
        expires_at=fields.milliseconds("expiry_date"),
        scopes=fields.words("scope"),
        product=GEMINI_CLI,
    )


__all__ = ["ContentError", "PlanCredential", "openai_account", "parse_api_key", "parse_file", "sign_out_warning"]
