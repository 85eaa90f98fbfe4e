"""The URL of an upstream request: the provider's base, the mode's path, and what is harmless of the client's query."""

from yarl import URL

from headgate_api.reasons import AuthMode
from headgate_proxy.routing.provider import Provider
from headgate_proxy.upstream.modes import MODES, Operation
from headgate_proxy.upstream.sensitive import is_credential_name


def target_url(provider: Provider, mode: AuthMode, operation: Operation, query: str) -> URL:
    """Return where the request goes; ``query`` is the client's, as it came (credential-like parameters stay here)."""
    url = provider.base_url + MODES[mode].paths[operation]
    kept = _harmless(query) if query else ""
    return URL(f"{url}?{kept}" if kept else url, encoded=True)


def _harmless(query: str) -> str:
    pairs = query.split("&")
    return "&".join(pair for pair in pairs if not is_credential_name(URL(f"?{pair}").query_string.partition("=")[0]))
