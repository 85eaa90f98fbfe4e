"""The custom resources, typed once: CRDs, operator, snapshot and command line all read these models."""

from headgate_api.resources.llmprovider import (
    APIKeyAuth,
    Auth,
    FallbackTable,
    LLMProvider,
    LLMProviderSpec,
    LLMProviderStatus,
    Model,
    SubscriptionAuth,
)
from headgate_api.resources.oauth import OAuthProfile
from headgate_api.resources.proxyfleet import Allowances, ProxyFleet, ProxyFleetSpec, ProxyFleetStatus
from headgate_api.resources.rolloutpolicy import RolloutPolicy
from headgate_api.resources.rolloutspec import RolloutPolicySpec
from headgate_api.resources.rolloutstatus import RolloutPolicyStatus
from headgate_api.resources.subscriptionaccount import (
    SubscriptionAccount,
    SubscriptionAccountSpec,
    SubscriptionAccountStatus,
)

__all__ = [
    "APIKeyAuth",
    "Allowances",
    "Auth",
    "FallbackTable",
    "LLMProvider",
    "LLMProviderSpec",
    "LLMProviderStatus",
    "Model",
    "OAuthProfile",
    "ProxyFleet",
    "ProxyFleetSpec",
    "ProxyFleetStatus",
    "RolloutPolicy",
    "RolloutPolicySpec",
    "RolloutPolicyStatus",
    "SubscriptionAccount",
    "SubscriptionAccountSpec",
    "SubscriptionAccountStatus",
    "SubscriptionAuth",
]
