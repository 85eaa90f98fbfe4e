"""What a person is told to do for a sign-in: everything in it that the broker or the vendor wrote is shown as plain text."""

from datetime import datetime

from headgate_api.signin import SignInState
from headgate_cli.account.loopback import Loopback
from headgate_cli.view.style import Style, sentence, when


def instructions(state: SignInState, now: datetime, style: Style) -> list[str]:
    """Return the lines for a sign-in that waits for its person; empty for one that does not."""
    if state.state != "Pending":
        return []
    until = f"It can be ended until {when(state.expires_at, now)}."
    if state.method == "DeviceCode":
        out = [f"Open {style.bold(sentence(state.verification_uri or ''))} and type the code"]
        out += ["", f"    {style.bold(sentence(state.user_code or ''))}", ""]
        if state.verification_uri_complete is not None:
            out += [f"or open {sentence(state.verification_uri_complete)}"]
        return [*out, f"{until} Only go on if you began this yourself."]
    out = ["Open this address in a browser and sign in:", "", f"    {sentence(state.authorization_url or '')}", ""]
    if state.method == "Browser":
        return [*out, f"The browser comes back by itself. {until}"]
    if Loopback.of(state.redirect_uri) is not None:
        then = "The browser comes back to this machine by itself; from another one, paste the whole address that it ends at."
    else:
        then = "Then paste the whole code that the vendor's page shows (code#state), or the address that the browser ends at."
    return [*out, then, until]
