"""The URL of an upstream request: the base of its mode, the mode's path, and what is harmless of the client's query."""

from urllib.parse import quote

from yarl import URL

from headgate_api.reasons import AuthMode
from headgate_proxy.protocols.operation import Operation
from headgate_proxy.routing.provider import Provider
from headgate_proxy.upstream.modes import rule_of
from headgate_proxy.upstream.sensitive import is_credential_name

_MODEL = "{model}"


def target_url(provider: Provider, mode: AuthMode, operation: Operation, model: str, query: str) -> URL:
    """Return where the request goes.

    ``model`` is the vendor's name for it, for protocols that have it in the path; ``query`` is the client's, as it came
    (credential-like parameters stay here).
    """
    rule, upstream = rule_of(provider, mode), provider.at(mode)
    path = rule.paths[operation]
    if _MODEL in path:
        path = path.replace(_MODEL, quote(model, safe=""))
    url = upstream.base_url + (path if upstream.has_path else rule.root + path)
    kept = _harmless(query) if query else ""
    return URL(f"{url}?{kept}" if kept else url, encoded=True)


def _harmless(query: str) -> str:
    pairs = query.split("&")
    return "&".join(pair for pair in pairs if not is_credential_name(URL(f"?{pair}").query_string.partition("=")[0]))
