"""How a flow shows to whoever began it: pure."""

from datetime import datetime
from urllib.parse import urlencode

from headgate_api.clock import rfc3339
from headgate_api.resources import OAuthProfile, SubscriptionAccount
from headgate_api.signin import SignInState
from headgate_operator.oauth.authorization import authorization_url
from headgate_operator.signin.flow import BEGIN_AGAIN, Flow
from headgate_operator.signin.methods import start_url


def shown(flow: Flow, name: str, account: SubscriptionAccount, now: datetime) -> SignInState:
    """Return the state to answer with; ``name`` of the flow."""
    common = {"method": flow.method, "began_by": flow.began_by, "expires_at": flow.expires_at}
    match flow.phase:
        case "Completed":
            return SignInState(state="Completed", message=flow.message, grant_id=flow.grant_id, **common)
        case "Failed" | "Expired":
            return SignInState(state=flow.phase, message=flow.message, **common)
        case "Redeeming":
            text = "the vendor's answer is awaited, or being stored; ask again"
            return SignInState(state="Pending", message=text, **common)
    if now >= flow.expires_at:
        text = f"nobody ended this sign-in by {rfc3339(flow.expires_at)}; {BEGIN_AGAIN}"
        return SignInState(state="Expired", message=text, **common)
    return SignInState(state="Pending", **common, **_needed(flow, name, account.spec.oauth))


def _needed(flow: Flow, name: str, profile: OAuthProfile | None) -> dict[str, str | None]:
    """Return what a person needs to go on."""
    if flow.device is not None:
        return {
            "message": f"open {flow.device.verification_uri} and type {flow.device.user_code}",
            "user_code": flow.device.user_code,
            "verification_uri": flow.device.verification_uri,
            "verification_uri_complete": flow.device.verification_uri_complete,
        }
    if profile is None:
        return {"message": f"spec.oauth was removed; restore it, or {BEGIN_AGAIN}"}
    if flow.method == "Paste":
        return {
            "message": "open the address, sign in, and bring the whole code that the vendor's page shows, or the whole address "
            "that your browser is sent to",
            "authorization_url": authorization_url(profile, flow.proof()),
            "redirect_uri": profile.redirect_uri,
        }
    if flow.ticket is None:
        return {"message": f"a browser takes part; end the sign-in there, or {BEGIN_AGAIN}"}
    return {
        "message": "open the address, look at what it says, and sign in",
        "authorization_url": f"{start_url(profile)}?{urlencode({'ticket': ticket(name, flow)})}",
        "redirect_uri": profile.redirect_uri,
    }


def ticket(name: str, flow: Flow) -> str:
    """Return what opens the broker's page for a flow, once. Raises ValueError where it was used."""
    if flow.ticket is None:
        raise ValueError("the ticket was used")
    return f"{name}.{flow.ticket.reveal()}"
