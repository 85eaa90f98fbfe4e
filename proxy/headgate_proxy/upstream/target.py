"""The URL of an upstream request: the base of its mode, the mode's path, and what is harmless of the client's query."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from yarl import URL

from headgate_api.reasons import AuthMode
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.routing.provider import Provider
from headgate_proxy.upstream.modes import rule_of
from headgate_proxy.upstream.sensitive import is_credential_name


@dataclass(frozen=True, slots=True)
class Place:
    """What a request asks for, as its path says it upstream: ``model`` is the vendor's name, ``version`` that of the API."""

    operation: Operation
    model: str
    version: str


def target_url(provider: Provider, mode: AuthMode, place: Place, query: str) -> URL:
    """Return where the request goes; ``query`` is the client's, as it came (credential-like parameters stay here)."""
    rule, upstream = rule_of(provider, mode), provider.at(mode)
    path = rule.paths[place.operation]
    if "{" in path:
        path = path.format(model=quote(place.model, safe=""), version=place.version)
    url = upstream.base_url + (rule.root + path if rule.root and not upstream.has_path else path)
    kept = _harmless(query) if query else ""
    return URL(f"{url}?{kept}" if kept else url, encoded=True)


def values_of(query: str, parameter: str) -> list[str]:
    """Return the values of a parameter in a query."""
    return [value for name, value in parse_qsl(query) if name == parameter] if parameter in query else []


def _harmless(query: str) -> str:
    pairs = query.split("&")
    return "&".join(pair for pair in pairs if not is_credential_name(URL(f"?{pair}").query_string.partition("=")[0]))
