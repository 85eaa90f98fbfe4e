"""The few words a browser is shown during a sign-in: everything from outside escaped, no script, no style, nothing kept."""

import html
from collections.abc import Iterable
from typing import Final

from headgate_api import acknowledgement

PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
}
"""No form-action: browsers hold it against the redirect to the vendor, and those that follow there."""


def start_page(facts: Iterable[tuple[str, str]], ticket: str, proof: str) -> str:
    """Return the page that says who signs in what, with one button. ``facts``: names and values, unescaped."""
    rows = "".join(f"<tr><th>{_e(name)}</th><td>{_e(value)}</td></tr>" for name, value in facts)
    return _page(
        "Sign in",
        "<p>You are about to sign in at the vendor, and to let Headgate use what you sign in to as this account:</p>"
        f"<table>{rows}</table>"
        f"<blockquote>{_e(acknowledgement.TEXT)}</blockquote>"
        "<p>Go on only if you began this yourself, from your own command line, and it is your plan.</p>"
        f'<form method="post"><input type="hidden" name="ticket" value="{_e(ticket)}">'
        f'<input type="hidden" name="proof" value="{_e(proof)}"><button>Sign in at the vendor</button></form>',
    )


def end_page(title: str, message: str) -> str:
    """Return a page that only says something; both are unescaped."""
    return _page(title, f"<p>{_e(message)}</p><p>You may close this page.</p>")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Headgate: '
        f"{_e(title)}</title></head><body><h1>{_e(title)}</h1>{body}</body></html>"
    )


def _e(text: str) -> str:
    return html.escape(text, quote=True)
