"""``python -m bench.accounts``: what a thousand subscription accounts cost operator and proxies, on the development cluster.

Memory is what the kernel counts for each process alone (proportional set size), before there are accounts and once all are Ready;
CPU is the operator's while nothing happens. How even their refreshes are is a test's to hold (``tests/operator/refresh``).
"""

import argparse
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from headgate_api import acknowledgement, names
from headgate_api.clock import Clock, SystemClock, rfc3339
from headgate_api.secret import Secret
from headgate_api.vault import DEFAULT_MOUNT, GrantRecord, grant_path
from headgate_dev.cluster import Cluster, ClusterError, CommandError
from headgate_dev.installation import Installation

_NAMESPACE: Final = "bench"
_ALICE: Final = "alice"
_ORIGIN: Final = "https://vendor.example"
_BATCH: Final = 100
_READY_SECONDS: Final = 600.0
_STEADY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 2.0
_MEGA: Final = 1e6
_LIFETIME: Final = timedelta(hours=8)
_POD_NAME: Final = b"HEADGATE_POD_NAME="


def _account(name: str, clock: Clock) -> dict[str, Any]:
    at = rfc3339(clock.now())
    spec = {
        "providerRef": {"name": "anthropic"},
        "owner": {"email": f"{name}@example.com", "subjects": [{"name": name}]},
        "acknowledgement": {"by": _ALICE, "at": at, "textVersion": acknowledgement.TEXT_VERSION},
        "oauth": {"tokenEndpoint": f"{_ORIGIN}/oauth/token", "clientId": "not-a-real-client"},
    }
    return {"apiVersion": names.API_VERSION, "kind": "SubscriptionAccount", "metadata": {"name": name}, "spec": spec}


def _grant(name: str, clock: Clock) -> GrantRecord:
    now = clock.now().replace(microsecond=0)
    return GrantRecord(
        origins=(_ORIGIN,),
        access_token=Secret(f"emulated-access-{name}"),
        refresh_token=Secret(f"emulated-refresh-{name}"),
        expires_at=now + _LIFETIME,
        obtained_at=now,
        grant_id=f"grant-{name}",
        generation=1,
        token_origins=(_ORIGIN,),
    )


class Bench:
    """One cluster with Headgate, a provider, and as many accounts as asked for."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._headgate = Installation(cluster)
        self._clock = SystemClock()

    def prepare(self) -> None:
        """Install Headgate and apply the provider."""
        self._headgate.install({"replicas": 2})
        self._cluster.kubectl("create", "namespace", _NAMESPACE)
        self._cluster.kubectl(
            "create", "rolebinding", _ALICE, "-n", _NAMESPACE, "--clusterrole=cluster-admin", f"--user={_ALICE}"
        )
        spec = {
            "protocol": "Anthropic",
            "endpoint": _ORIGIN,
            "models": [{"name": "claude-sonnet-4-6"}],
            "auth": {"modes": ["Subscription"]},
        }
        provider = {
            "apiVersion": names.API_VERSION,
            "kind": "LLMProvider",
            "metadata": {"name": "anthropic"},
            "spec": spec,
        }
        self._cluster.apply(provider, namespace=_NAMESPACE)

    def add(self, count: int) -> float:
        """Add accounts whose grants are in Vault; return the seconds from the first one applied until all are Ready."""
        vault = self._cluster.bao.client().secrets.kv.v2
        accounts = [f"account-{number:04d}" for number in range(count)]
        for name in accounts:
            record = _grant(name, self._clock).to_vault()
            vault.create_or_update_secret(grant_path(_NAMESPACE, name), record, mount_point=DEFAULT_MOUNT)
        _say(f"{count} grants are in Vault")
        began = self._clock.monotonic()
        for first in range(0, count, _BATCH):
            batch = [_account(name, self._clock) for name in accounts[first : first + _BATCH]]
            self._cluster.apply(batch, namespace=_NAMESPACE, as_user=_ALICE)
        _say(f"{count} accounts are applied")
        while (ready := self._ready()) < count:
            if self._clock.monotonic() - began > _READY_SECONDS:
                raise TimeoutError(f"{ready} of {count} accounts are Ready after {_READY_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
        return self._clock.monotonic() - began

    def _ready(self) -> int:
        query = r'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}'
        return self._cluster.kubectl("get", "subscriptionaccounts", "-n", _NAMESPACE, "-o", query).count("True")

    def memory(self) -> dict[str, float]:
        """Return {pod: MB} of the operator and the proxies."""
        pods = [*self._headgate.operator_pods(), *self._headgate.proxy_pods()]
        return {pod: _pss(self._process(pod)) / _MEGA for pod in pods}

    def steady(self) -> float:
        """Return the share of a core (percent) that the operator takes while nothing happens."""
        (operator,) = self._headgate.operator_pods()
        process = self._process(operator)
        before = _cpu(process)
        time.sleep(_STEADY_SECONDS)
        return 100 * (_cpu(process) - before) / _STEADY_SECONDS

    def _process(self, pod: str) -> Path:
        """Return the folder in /proc of a pod's process, which is known by its environment."""
        wanted = _POD_NAME + pod.encode()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if wanted in environ.read_bytes().split(b"\0"):
                    return environ.parent
            except OSError:
                continue  # it ended meanwhile, or is not ours
        raise OSError(f"pod {pod} has no process")


def _pss(process: Path) -> int:
    lines = (process / "smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _cpu(process: Path) -> float:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100  # user and system time, in hundredths of a second (proc(5))


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> int:
    """Run; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.accounts", description=__doc__)
    parser.add_argument("--accounts", type=int, default=1000)
    arguments = parser.parse_args()
    with Cluster() as cluster:
        bench = Bench(cluster)
        bench.prepare()
        before = bench.memory()
        took = bench.add(arguments.accounts)
        _say("all are Ready; watching the operator rest")
        steady, after = bench.steady(), bench.memory()
    print(f"{arguments.accounts} accounts Ready after {took:.0f} s; the operator then takes {steady:.1f} % of a core")
    for pod, megabytes in after.items():
        print(f"{pod:<45} {before[pod]:6.1f} MB without accounts, {megabytes:6.1f} MB with them")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ClusterError, CommandError, TimeoutError, OSError) as problem:
        print(f"bench: {problem or type(problem).__name__}", file=sys.stderr)
        sys.exit(1)
