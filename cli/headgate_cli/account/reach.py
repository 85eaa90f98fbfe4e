"""Where the broker is, and a connection to it: straight, or through the API server; TLS end to end and always verified."""

import argparse
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from headgate_api import names
from headgate_api.snapshot import HEAD_KEY, SnapshotError, parse_head
from headgate_cli.cluster.api import Api, Object
from headgate_cli.cluster.secured import Secured
from headgate_cli.console import USAGE, Refusal
from headgate_runtime.kube_errors import KubeError, KubeUnavailable
from headgate_runtime.kube_kinds import CONFIG_MAP, POD
from headgate_runtime.trusting_tls import client_context

ENVIRONMENT: Final = "HEADGATE_BROKER"
STRAIGHT_SECONDS: Final = 2.0
"""How long a broker that can be reached at all takes to answer; after that the way is through the API server."""
_FORWARDED_SECONDS: Final = 10.0
_PORT_NAME: Final = "broker"
_OPERATOR: Final = f"{names.LABEL_COMPONENT}=operator"


class Unreached(Exception):  # noqa: N818 - a state
    """No connection, or none that is the broker's: what was tried, and what came of it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is, by which name its certificate is checked, and whom to believe."""

    host: str
    port: int
    server_name: str
    trust: ssl.SSLContext

    @property
    def url(self) -> str:
        """Return the base URL, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


Connection = ssl.SSLSocket | Secured
Way = tuple[str, Callable[[], Connection]]
"""What a way is called, and how to get a secured connection by it."""


@dataclass(frozen=True, slots=True)
class Route:
    """An address and the ways there. ``detours`` returns those through the API server, when they are needed."""

    address: Address
    detours: Callable[[], list[Way]] = list
    straight: bool = True

    def connections(self, seconds: float) -> Iterator[Connection]:
        """Yield a secured connection by each way that leads to the broker, the straight one first. Raises Unreached, Refusal.

        ``seconds`` is how long a connection may be silent once it stands. Whoever takes one closes it.
        """
        tried = []
        for what, connect in self._ways():
            try:
                secured = connect()
            except KubeError as error:
                raise Refusal(_no_way(self.address, "open a port-forward there (pods/portforward)", error)) from None
            except (OSError, KubeUnavailable) as error:
                tried.append(f"{what}: {_words(error)}")
                continue
            secured.settimeout(seconds)
            yield secured
        raise Unreached("; ".join(tried) or "every way led to an operator that does not lead")

    def _ways(self) -> Iterator[Way]:
        if self.straight:
            yield self.address.url, self._straight
        yield from self.detours()

    def as_found(self, connection: Connection) -> "Route":
        """Return the route for the next connection: where the straight way led nowhere, it is not tried again."""
        return replace(self, straight=not isinstance(connection, Secured))

    def _straight(self) -> ssl.SSLSocket:
        stream = socket.create_connection((self.address.host, self.address.port), timeout=STRAIGHT_SECONDS)
        try:
            return self.address.trust.wrap_socket(stream, server_hostname=self.address.server_name)
        except BaseException:
            stream.close()
            raise


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the broker is."""
    way = parser.add_argument_group(
        "how the broker is reached (default: as the fleet's head says, or through the API server)"
    )
    way.add_argument("--broker", metavar="URL", default=os.environ.get(ENVIRONMENT), help=f"its URL (or {ENVIRONMENT})")
    way.add_argument(
        "--ca-file",
        metavar="FILE",
        help="PEM authority of Headgate's own certificates, for --broker; without it, the URL's host must have a certificate that "
        "this machine trusts",
    )
    way.add_argument(
        "--fleet", default="default", metavar="NAME", help="fleet whose head names the broker (default: default)"
    )
    way.add_argument(
        "--system-namespace",
        default="headgate-system",
        metavar="NAMESPACE",
        help="where the operator is (default: headgate-system)",
    )


def route(arguments: argparse.Namespace, api: Api) -> Route:
    """Return the way to the broker. Raises Refusal, KubeError, KubeUnavailable."""
    if arguments.broker:
        return Route(_named(arguments))
    address = _of_head(arguments, api)
    return Route(address, lambda: _forwards(arguments.system_namespace, address, api))


def _named(arguments: argparse.Namespace) -> Address:
    host, port = _split(arguments.broker, f"--broker {arguments.broker}")
    if arguments.ca_file is None:
        return Address(host, port, host, ssl.create_default_context())
    try:
        trust = client_context(Path(arguments.ca_file).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise Refusal(f"--ca-file {arguments.ca_file} cannot be used: {error}", USAGE) from None
    return Address(host, port, names.broker_server_name(arguments.system_namespace), trust)


def _of_head(arguments: argparse.Namespace, api: Api) -> Address:
    namespace, name = arguments.system_namespace, names.head_name(arguments.fleet)
    what = f"ConfigMap {namespace}/{name}, which says where the broker is,"
    other = "or name the broker with --broker"
    try:
        body = api.get(CONFIG_MAP, namespace, name)
    except KubeError as error:
        if error.status != 403:
            raise
        raise Refusal(f"you may not read {what} {other}, or be granted that right: {error.message}") from None
    if body is None:
        raise Refusal(
            f"{what} does not exist; name the fleet with --fleet, its namespace with --system-namespace, {other}"
        )
    try:
        head = parse_head((body.get("data") or {}).get(HEAD_KEY) or "")
    except SnapshotError as error:
        raise Refusal(f"{what} cannot be read: {error}; {other}") from None
    if head.broker_url is None or head.trust_bundle is None:
        raise Refusal(f"{what} names no broker or nothing to know it by yet; see the ProxyFleet's conditions, {other}")
    host, port = _split(head.broker_url, f"{what} names {head.broker_url}: that")
    try:
        trust = client_context(head.trust_bundle)
    except ValueError as error:
        raise Refusal(f"{what} carries no usable certificates: {error}; {other}") from None
    return Address(host, port, names.broker_server_name(namespace), trust)


def _split(url: str, where: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme != "https" or not host or parts.path not in ("", "/") or parts.username is not None:
        raise Refusal(f"{where} is no base URL of a broker; it looks like https://broker.example.com:8090", USAGE)
    return host, port or 443


def _forwards(namespace: str, address: Address, api: Api) -> list[Way]:
    """Return a way through the API server to each operator, the leader first where its address tells which it is."""
    try:
        pods = [pod for pod in api.list(POD, namespace, label_selector=_OPERATOR) if _runs(pod)]
    except KubeError as error:
        raise Refusal(_no_way(address, f"list the operator's pods in namespace {namespace}", error)) from None
    pods.sort(key=lambda pod: pod.get("status", {}).get("podIP") != address.host)
    return [_forward(namespace, pod, address, api) for pod in pods]


def _forward(namespace: str, pod: Object, address: Address, api: Api) -> Way:
    name = pod["metadata"]["name"]
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", ())]
    port = next((each["containerPort"] for each in ports if each.get("name") == _PORT_NAME), address.port)

    def connect() -> Secured:
        stream = api.forward(namespace, name, port)
        try:
            stream.settimeout(_FORWARDED_SECONDS)
            return Secured(stream, address.trust, address.server_name)
        except BaseException:
            stream.close()
            raise

    return f"port-forward to pod {namespace}/{name}", connect


def _no_way(address: Address, what: str, error: KubeError) -> str:
    return (
        f"the broker at {address.url} cannot be reached from here, and to go through the API server you would have to {what}: "
        f"{error.message}. Be granted that, or name an address that can be reached with --broker"
    )


def _runs(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("phase") == "Running") and "deletionTimestamp" not in pod["metadata"]


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not the broker's ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)
