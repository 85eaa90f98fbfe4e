"""Federation under ``/_emulator/federation`` (in a Together: ``/_emulator/NAME/federation``): rules, trust, attempts."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headgate_dev.emulator.oauth.assertions import JwksUrl
from headgate_dev.emulator.oauth.federation import Federation, FederationRule


class Issuer(BaseModel):
    """Where an issuer's keys are: ``jwks`` itself, or its ``url``."""

    model_config = ConfigDict(extra="forbid")

    jwks: dict[str, Any] | None = None
    url: str = ""
    ca_pem: str | None = None
    bearer: str | None = None


class FederationChange(BaseModel):
    """The body of ``POST /_emulator/federation``; what is absent stays. ``rules`` replace those of the same id."""

    model_config = ConfigDict(extra="forbid")

    rules: list[FederationRule] = Field(default_factory=list)
    issuers: dict[str, Issuer] = Field(default_factory=dict)
    lifetime_seconds: Annotated[float | None, Field(gt=0)] = None
    denials: Literal["Described", "Opaque"] | None = None


class FederationControl:
    """The handlers."""

    def __init__(self, federation: Federation, prefix: str = "") -> None:
        self._federation = federation
        self._path = f"{prefix}/federation"

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount below ``/_emulator/``."""
        return [web.get(self._path, self.show), web.post(self._path, self.change)]

    async def show(self, _: web.Request) -> web.Response:
        """Answer with every attempt, as the vendor's own authentication history would show it."""
        return web.json_response(self._federation.shown())

    async def change(self, request: web.Request) -> web.Response:
        """Do what the body asks."""
        try:
            change = FederationChange.model_validate_json(await request.read())
        except ValidationError as error:
            return web.Response(status=400, text=error.json(include_input=False), content_type="application/json")
        federation = self._federation
        federation.rules |= {rule.id: rule for rule in change.rules}
        for name, issuer in change.issuers.items():
            found = issuer.jwks if issuer.jwks is not None else JwksUrl(issuer.url, issuer.ca_pem, issuer.bearer)
            federation.assertions.issuers[name] = found
        if change.lifetime_seconds is not None:
            federation.lifetime = timedelta(seconds=change.lifetime_seconds)
        federation.denials = change.denials or federation.denials
        return web.Response(status=204)
