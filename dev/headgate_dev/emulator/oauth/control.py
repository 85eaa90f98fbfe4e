"""Sign-in under ``/_emulator/oauth`` (in a Together: ``/_emulator/NAME/oauth``), for other processes: what people decide,
and what was asked.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headgate_dev.emulator.credentials import Credentials
from headgate_dev.emulator.journal import RecordedRequest
from headgate_dev.emulator.oauth.journal import refreshes_at_once
from headgate_dev.emulator.oauth.server import Consent, OAuthServer


class SignInChange(BaseModel):
    """The body of ``POST /_emulator/oauth``; what is absent stays. ``revoke``: numbers of grants that their owner ends."""

    model_config = ConfigDict(extra="forbid")

    consent: Consent | None = None
    lifetime_seconds: Annotated[float | None, Field(gt=0)] = None
    allow_devices: list[str] = Field(default_factory=list)
    deny_devices: list[str] = Field(default_factory=list)
    revoke: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)


class OAuthControl:
    """The handlers; ``requests`` is the emulator's journal, never copied."""

    def __init__(
        self, oauth: OAuthServer, credentials: Credentials, requests: Sequence[RecordedRequest], prefix: str = ""
    ) -> None:
        self._prefix = prefix
        self._oauth = oauth
        self._credentials = credentials
        self._requests = requests

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount below ``/_emulator/``."""
        path = f"{self._prefix}/oauth"
        return [web.get(path, self.show), web.post(path, self.change)]

    async def show(self, _: web.Request) -> web.Response:
        """Answer with the calls of the token endpoint, the most refreshes of one grant that were in flight at once, and the
        grants, each with its newest access token.
        """
        calls = [
            {"request": call.request, "grant_type": call.grant_type, "grant": call.grant, "error": call.error}
            for call in self._oauth.calls
        ]
        grants = [
            {
                "grant": grant.number,
                "client_id": grant.client_id,
                "revoked": grant.revoked,
                "access_token": grant.current,
            }
            for grant in self._oauth.grants.grants
        ]
        at_once = refreshes_at_once(self._oauth.calls, self._requests)
        return web.json_response({"calls": calls, "refreshes_at_once": at_once, "grants": grants})

    async def change(self, request: web.Request) -> web.Response:
        """Do what the body asks."""
        try:
            change = SignInChange.model_validate_json(await request.read())
            grants = [self._oauth.grants.grants[number - 1] for number in change.revoke]
            for codes, decision in ((change.allow_devices, "allowed"), (change.deny_devices, "denied")):
                for code in codes:
                    self._oauth.codes.decide(code, "allowed" if decision == "allowed" else "denied")
        except ValidationError as error:
            return web.Response(status=400, text=error.json(include_input=False), content_type="application/json")
        except LookupError:
            return web.json_response({"error": "there is no such grant or user code"}, status=404)
        self._oauth.consent = change.consent or self._oauth.consent
        if change.lifetime_seconds is not None:
            self._oauth.grants.lifetime = timedelta(seconds=change.lifetime_seconds)
        for grant in grants:
            self._oauth.grants.revoke(grant, self._credentials)
        return web.Response(status=204)
