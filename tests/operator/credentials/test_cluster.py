"""The reconcilers on a real API server and a real OpenBao: what they write is what stands, and then they are quiet."""

from collections.abc import AsyncIterator

import pytest
import yaml
from prometheus_client import CollectorRegistry

from headgate_api import crds
from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_api.vault import access_path
from headgate_dev.cluster import Cluster
from headgate_operator.account.reconciler import AccountReconciler
from headgate_operator.credentials.executor import Executor
from headgate_operator.credentials.metrics import CredentialMetrics
from headgate_operator.credentials.store import Store
from headgate_operator.engine.keys import Key
from headgate_operator.provider.reconciler import ProviderReconciler
from headgate_operator.revisions.guards import Guards
from headgate_operator.revisions.held import Held
from headgate_operator.revisions.standing import Standing
from headgate_operator.revisions.store import RevisionStore
from headgate_runtime.kube import Kube, KubeSettings
from headgate_runtime.kube_kinds import LLM_PROVIDER, SECRET, SUBSCRIPTION_ACCOUNT
from headgate_runtime.vault import Vault, VaultSession, VaultSettings

from .objects import account, plan_file, provider, secret
from .world import Told


@pytest.fixture
async def vault(cluster: Cluster) -> AsyncIterator[Vault]:
    clock = SystemClock()
    async with Vault(VaultSettings(address=cluster.bao.address, role="unused"), clock, Redactor()) as opened:
        opened.restore(VaultSession(Secret(cluster.bao.client().token), clock.now()))
        yield opened


@pytest.fixture
async def kube(cluster: Cluster) -> AsyncIterator[Kube]:
    cluster.apply([yaml.safe_load(text) for text in crds.files().values()])
    for name in crds.files():
        plural = name.removesuffix(".yaml").split("_")[1]
        cluster.wait_for(f"crd/{plural}.headgate.dev", "condition=Established")
    async with await Kube.connect(KubeSettings(kubeconfig=cluster.kubeconfig)) as opened:
        yield opened


async def test_from_apply_to_deletion(cluster: Cluster, namespace: str, kube: Kube, vault: Vault) -> None:
    redactor, told, store = Redactor(), Told(), Store(vault)
    executor = Executor(kube, store, told, SystemClock(), CredentialMetrics(CollectorRegistry()))
    revisions = RevisionStore(kube, lambda: None)
    guards = Guards(kube, revisions, Standing(kube, "headgate-system"), "headgate-system")
    held = Held(kube, guards, revisions)
    providers = ProviderReconciler(
        kube, store, executor, told, redactor, guards, held, fleet_namespace="headgate-system"
    )
    accounts = AccountReconciler(kube, store, executor, told, redactor, guards)
    upstream, plan = Key("LLMProvider", namespace, "claude"), Key("SubscriptionAccount", namespace, "ada")
    for body in (
        secret("key", "not-a-real-key"),
        secret("plan", plan_file("one", hours=24 * 365 * 20)),
        provider(modes=("Subscription", "APIKey")),
        account(deletionPolicy="Revoke"),
    ):
        cluster.apply(body | {"metadata": body["metadata"] | {"namespace": namespace}})

    await providers.reconcile(upstream)
    await accounts.reconcile(plan)
    await providers.reconcile(upstream)

    shown = await kube.get(LLM_PROVIDER, namespace, "claude")
    ready = await kube.get(SUBSCRIPTION_ACCOUNT, namespace, "ada")
    emptied = await kube.get(SECRET, namespace, "plan")
    assert shown is not None and ready is not None and emptied is not None
    assert {c["type"]: c["status"] for c in ready["status"]["conditions"]}["Ready"] == "True"
    assert shown["status"]["accounts"] == 1
    assert not emptied.get("data")

    await providers.reconcile(upstream)
    await accounts.reconcile(plan)
    again = [await kube.get(LLM_PROVIDER, namespace, "claude"), await kube.get(SUBSCRIPTION_ACCOUNT, namespace, "ada")]
    assert again == [shown, ready]  # nothing left to write: resourceVersions stand

    cluster.kubectl("delete", "llmprovider/claude", "subscriptionaccount/ada", "-n", namespace, "--wait=false")
    await accounts.reconcile(plan)
    await providers.reconcile(upstream)
    assert await kube.get(LLM_PROVIDER, namespace, "claude") is None
    assert await kube.get(SUBSCRIPTION_ACCOUNT, namespace, "ada") is None
    assert await vault.read_for_update(access_path(namespace, "ada")) == (None, 0)
