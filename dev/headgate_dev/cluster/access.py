"""Working with a running cluster as its admin, as a person or as a ServiceAccount, through the real kubectl and helm."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headgate_dev.cluster.errors import CommandError
from headgate_dev.cluster.kubeconfig import certificate_user, token_user, write_kubeconfig
from headgate_dev.cluster.pki import ClusterPKI
from headgate_dev.toolchain import find_tools

Manifest = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class ClusterAccess:
    """The admin's kubeconfig and what can be done with it. ``state`` is the folder of the cluster's files."""

    def __init__(self, state: Path, server_url: str, pki: ClusterPKI) -> None:
        self.state = state
        self.server_url = server_url
        self.ca_file = pki.ca_file
        self.kubeconfig = state / "kubeconfig"
        self._pki = pki

    def kubectl(
        self,
        *args: str,
        input: str | None = None,
        as_user: str | None = None,
        as_groups: Sequence[str] = (),
        kubeconfig: Path | None = None,
        check: bool = True,
        timeout: float = 90.0,
    ) -> str:
        """Run kubectl and return what it printed on stdout.

        ``as_user``/``as_groups`` impersonate; ``kubeconfig`` acts with another identity's file instead of the admin's.
        Raises CommandError, which carries stderr, on a non-zero exit unless ``check`` is false.
        """
        impersonate = [] if as_user is None else [f"--as={as_user}", *(f"--as-group={group}" for group in as_groups)]
        command = ["kubectl", f"--kubeconfig={kubeconfig or self.kubeconfig}", *impersonate, *args]
        return self.run(command, input=input, check=check, timeout=timeout)

    def helm(self, *args: str, check: bool = True, timeout: float = 180.0) -> str:
        """Run helm as the admin and return what it printed on stdout. Raises CommandError like `kubectl`."""
        return self.run(["helm", f"--kubeconfig={self.kubeconfig}", *args], check=check, timeout=timeout)

    def apply(self, manifest: Manifest, *, namespace: str | None = None, as_user: str | None = None) -> str:
        """Apply YAML text, one object or several, server-side; return kubectl's words."""
        if isinstance(manifest, str):
            text = manifest
        elif isinstance(manifest, Mapping):
            text = json.dumps(manifest)
        else:
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifest)})
        scope = [] if namespace is None else ["--namespace", namespace]
        return self.kubectl("apply", "--server-side", "--filename=-", *scope, input=text, as_user=as_user)

    def get(self, *args: str) -> Any:
        """Return `kubectl get ARGS -o json`, decoded. Raises CommandError when the object is not there."""
        return json.loads(self.kubectl("get", *args, "--output=json"))

    def wait_for(self, resource: str, condition: str, *, namespace: str | None = None, timeout: float = 60.0) -> None:
        """Wait through a watch for ``condition`` (`condition=Ready`, `delete`, `jsonpath=...`) of ``resource`` (kind/name).

        Raises CommandError when ``timeout`` seconds pass first.
        """
        scope = [] if namespace is None else ["--namespace", namespace]
        limit = f"--timeout={timeout:.0f}s"
        self.kubectl("wait", resource, f"--for={condition}", limit, *scope, timeout=timeout + 15)

    def create_token(
        self, namespace: str, service_account: str, audience: str | None = None, duration: str = "1h"
    ) -> str:
        """Return a ServiceAccount token of that audience (default: the API server) and life (Go duration, at least 10m)."""
        audiences = [] if audience is None else [f"--audience={audience}"]
        printed = self.kubectl(
            "create", "token", service_account, f"--namespace={namespace}", f"--duration={duration}", *audiences
        )
        return printed.strip()

    def kubeconfig_for_service_account(self, namespace: str, name: str, duration: str = "24h") -> Path:
        """Return a kubeconfig that acts as that ServiceAccount."""
        token = self.create_token(namespace, name, duration=duration)
        path = self.state / "kubeconfigs" / f"sa-{namespace}-{name}"
        return write_kubeconfig(path, self.server_url, self.ca_file, token_user(token))

    def kubeconfig_for_user(self, name: str, groups: Sequence[str] = ()) -> Path:
        """Return a kubeconfig of a real user, known by a client certificate; it may do what RBAC grants, so nothing at first."""
        certificate, key = self._pki.client_certificate(name, tuple(groups))
        path = self.state / "kubeconfigs" / "-".join(["user", name.replace("/", "_"), *groups])
        return write_kubeconfig(path, self.server_url, self.ca_file, certificate_user(certificate, key))

    def run(
        self,
        command: Sequence[str],
        *,
        input: str | None = None,
        check: bool = True,
        timeout: float = 90.0,
    ) -> str:
        """Run one of the toolchain's commands (``command[0]`` is its name) with an own, empty home folder."""
        binary = find_tools([command[0]])[command[0]]
        home = self.state / "home"
        home.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [str(binary), *command[1:]],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")},
        )
        if check and done.returncode:
            raise CommandError(command, done.returncode, done.stdout, done.stderr)
        return done.stdout
