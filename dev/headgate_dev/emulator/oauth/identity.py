"""The JWTs a vendor issues about a person: id tokens, and the access tokens of OpenAI, signed with a throw-away key."""

from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

OPENAI_CLAIM: Final = "https://api.openai.com/auth"
"""The claim that carries the ChatGPT account (``codex-rs/login/src/token_data.rs``)."""


def account_id(number: int) -> str:
    """Return the ChatGPT account of the person behind grant ``number``."""
    return f"emulated-account-{number}"


def account_of(token: str) -> str | None:
    """Return the ChatGPT account that ``token`` is for; None when it names none. It is not verified."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    found = claims.get(OPENAI_CLAIM)
    return found.get("chatgpt_account_id") if isinstance(found, dict) else None


class Identity:
    """Signs what one authorization server says about its people; nobody can check it, as no client has to."""

    def __init__(self, issuer: str = "https://auth.emulated.example") -> None:
        self._issuer = issuer
        self._key = ec.generate_private_key(ec.SECP256R1())

    def id_token(self, number: int, client_id: str, now: datetime, plan_type: str | None = None) -> str:
        """Return the id token of grant ``number`` (OpenID Connect Core, section 2), an hour long.

        ``plan_type`` adds OpenAI's claim about the account.
        """
        claims: dict[str, Any] = {
            "aud": client_id,
            "email": f"person-{number}@emulated.example",
            "email_verified": True,
        }
        return self._sign(number, now, timedelta(hours=1), claims | _openai(number, plan_type))

    def access_token(self, number: int, serial: str, now: datetime, lifetime: timedelta, plan_type: str) -> str:
        """Return an access token as OpenAI's are: a JWT with the account's claim; ``serial`` makes it unlike any other."""
        claims = {"aud": ["https://api.openai.com/v1"], "jti": serial}
        return self._sign(number, now, lifetime, claims | _openai(number, plan_type))

    def _sign(self, number: int, now: datetime, lifetime: timedelta, claims: dict[str, Any]) -> str:
        times = {"iat": int(now.timestamp()), "exp": int((now + lifetime).timestamp())}
        whole = {"iss": self._issuer, "sub": f"emulated-person-{number}", **times, **claims}
        return jwt.encode(whole, self._key, algorithm="ES256", headers={"kid": "emulated"})


def _openai(number: int, plan_type: str | None) -> dict[str, Any]:
    if plan_type is None:
        return {}
    account = {
        "chatgpt_account_id": account_id(number),
        "chatgpt_plan_type": plan_type,
        "chatgpt_user_id": f"user-emulated-{number}",
    }
    return {OPENAI_CLAIM: account}
