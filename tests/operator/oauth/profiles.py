"""Profiles, answers and a signed-in grant for tests; every credential is made up."""

import json
from typing import Any

from headgate_api.resources import OAuthProfile
from headgate_api.secret import Secret
from headgate_operator.oauth.answers import HttpAnswer

CLIENT_ID = "not-a-real-client"


def profile(base: str = "https://auth.vendor.example", **fields: Any) -> OAuthProfile:
    return OAuthProfile.model_validate({"tokenEndpoint": f"{base}/oauth/token", "clientId": CLIENT_ID} | fields)


def http(status: int, body: Any, **headers: str) -> HttpAnswer:
    text = body if isinstance(body, str) else json.dumps(body)
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, Secret(text))
