"""Where the access token of a sign-in may go: the origin that its provider's subscription requests go to, when it began."""

from headgate_api.resources import LLMProvider, SubscriptionAccount
from headgate_operator.broker.authentication import Refused
from headgate_operator.provider.acceptance import plan_origin
from headgate_operator.reading import Unreadable, read
from headgate_runtime.kube import Kube
from headgate_runtime.kube_kinds import LLM_PROVIDER


class Providers:
    """Reads the providers of accounts."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def origins(self, account: SubscriptionAccount) -> tuple[str, ...]:
        """Return the origins to bind a new grant to. Raises Refused (409), KubeError, KubeUnavailable."""
        namespace, name = account.metadata.namespace, account.spec.provider_ref.name
        body = await self._kube.get(LLM_PROVIDER, namespace, name)
        if body is None:
            text = f"LLMProvider {namespace}/{name} does not exist, so nobody knows where tokens may go; create it"
            raise Refused(409, "ProviderNotFound", text)
        try:
            origin = plan_origin(read(LLMProvider, body))
        except Unreadable as error:
            raise Refused(409, "SpecInvalid", f"LLMProvider {namespace}/{name}: {error}") from None
        if origin is None:
            raise Refused(409, "SpecInvalid", f"LLMProvider {namespace}/{name} has no usable endpoint; correct it")
        return (origin,)
