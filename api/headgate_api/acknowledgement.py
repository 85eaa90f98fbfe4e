"""The text a person acknowledges before a subscription is used (S1.8, S1.9): one place for kubectl, CLI, console and docs."""

from typing import Final

TEXT_VERSION: Final = "2026-11-01"
"""Changes whenever the text changes in substance; an acknowledgement of an older text no longer counts."""

TEXT: Final = (
    "Vendors reserve plan (subscription) sign-in for their own applications; their terms may forbid routing requests of other "
    "applications through plan credentials, and the plan may be limited or closed for it. API keys and workload identity are the "
    "supported ways for automated use. By acknowledging you state that you have read your vendor's terms and that you accept this "
    "risk for this account."
)

WARNING: Final = (
    f"{TEXT} To opt in, set spec.acknowledgement to your own user name (by), the time (at) and "
    f"textVersion {TEXT_VERSION}."
)

IDENTITY_TEXT: Final = (
    "An identity profile presents subscription requests as something else than the client that made them. Vendors' terms may "
    "forbid that, and the plan may be limited or closed for it. By acknowledging you state that you decided this for your "
    "organization and that your vendor's terms allow it."
)

IDENTITY_WARNING: Final = (
    f"{IDENTITY_TEXT} To decide so, set spec.auth.subscription.acknowledgement to your own user name (by), the time (at) and "
    f"textVersion {TEXT_VERSION}."
)
