"""The pods of a fleet's two tracks: one template, from the image and additions that the track's form gives.

The pods get one projected token per audience and no default token; their only right at the API server is to read
ConfigMaps of their namespace, where snapshots live.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from headgate_api import names, vault
from headgate_api.resources import ProxyFleet
from headgate_api.revisions import FleetBundle

Object = dict[str, Any]
Track = Literal["stable", "canary"]

KUBE_DIRECTORY: Final = "/var/run/secrets/headgate/kube"
VAULT_DIRECTORY: Final = "/var/run/secrets/headgate/vault"
BROKER_DIRECTORY: Final = "/var/run/secrets/headgate/broker"
RELAY_DIRECTORY: Final = "/var/run/secrets/headgate/relay"
TLS_DIRECTORY: Final = "/var/run/secrets/headgate/tls"
STATE_DIRECTORY: Final = "/var/run/headgate/state"
_TOKEN_SECONDS: Final = 3600
_GRACE_SECONDS: Final = 30
_USER: Final = 65532


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What the operator hands to every proxy, from its own settings."""

    vault_address: str
    vault_mount: str
    vault_auth: str
    vault_auth_path: str
    vault_role: str
    vault_ca_config_map: str | None = None
    log_level: str = "INFO"
    vault_canary_role: str = vault.CANARY_ROLE


def account_of(fleet: str, track: Track) -> str:
    """Return the ServiceAccount of a track: the canary's is its own, so that it can be cut off alone."""
    return names.canary_name(fleet) if track == "canary" else names.proxy_name(fleet)


def selector_of(fleet: str, track: Track = "stable") -> dict[str, str]:
    """Return the pod selector of a track; a Deployment's selector can never change."""
    return {names.LABEL_FLEET: fleet, names.LABEL_TRACK: track}


def pod_template(
    fleet: ProxyFleet,
    form: FleetBundle,
    labels: Mapping[str, str],
    settings: ProxySettings,
    *,
    track: Track,
    secret: str,
) -> Object:
    """Return the pod template of a track; ``secret`` holds the certificate, ``labels`` displace those of the form."""
    template, selector = form.pod_template, selector_of(fleet.metadata.name, track)
    pod: Object = {
        "serviceAccountName": account_of(fleet.metadata.name, track),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": fleet.spec.drain_seconds + _GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(fleet, form, settings, track)],
        "volumes": _volumes(settings, secret),
    }
    if template.node_selector:
        pod["nodeSelector"] = dict(template.node_selector)
    if template.tolerations:
        pod["tolerations"] = list(template.tolerations)
    if template.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": secret_name} for secret_name in template.image_pull_secrets]
    if template.topology_spread:
        pod["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
            }
        ]
    metadata: Object = {"labels": {**template.labels, **labels, **selector}}
    if template.annotations:
        metadata["annotations"] = dict(template.annotations)
    return {"metadata": metadata, "spec": pod}


def _container(fleet: ProxyFleet, form: FleetBundle, settings: ProxySettings, track: Track) -> Object:
    ports = fleet.spec.ports
    listening = {"http": ports.http} if fleet.spec.tls.plain_http else {}
    listening |= {"https": ports.https, "admin": ports.admin}
    return {
        "name": "proxy",
        "image": form.image,
        "command": ["headgate", "proxy"],
        "env": _env(fleet, settings, track),
        "ports": [{"name": name, "containerPort": number, "protocol": "TCP"} for name, number in listening.items()],
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 10, "failureThreshold": 3},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "admin"}, "periodSeconds": 2, "failureThreshold": 2},
        "resources": dict(form.pod_template.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "kube", "mountPath": KUBE_DIRECTORY, "readOnly": True},
            {"name": "vault", "mountPath": VAULT_DIRECTORY, "readOnly": True},
            {"name": "broker", "mountPath": BROKER_DIRECTORY, "readOnly": True},
            {"name": "relay", "mountPath": RELAY_DIRECTORY, "readOnly": True},
            {"name": "tls", "mountPath": TLS_DIRECTORY, "readOnly": True},
            {"name": "state", "mountPath": STATE_DIRECTORY},
        ],
    }


def _env(fleet: ProxyFleet, settings: ProxySettings, track: Track) -> list[Object]:
    telemetry = fleet.spec.telemetry
    values: dict[str, str | None] = {
        "HEADGATE_FLEET": fleet.metadata.name,
        "HEADGATE_TRACK": track,
        "HEADGATE_KUBE_TOKEN_FILE": f"{KUBE_DIRECTORY}/token",
        "HEADGATE_KUBE_CA_FILE": f"{KUBE_DIRECTORY}/ca.crt",
        "HEADGATE_VAULT_ADDR": settings.vault_address,
        "HEADGATE_VAULT_MOUNT": settings.vault_mount,
        "HEADGATE_VAULT_AUTH": settings.vault_auth,
        "HEADGATE_VAULT_AUTH_PATH": settings.vault_auth_path,
        "HEADGATE_VAULT_ROLE": settings.vault_canary_role if track == "canary" else settings.vault_role,
        "HEADGATE_VAULT_TOKEN_FILE": f"{VAULT_DIRECTORY}/token",
        "HEADGATE_VAULT_CA_FILE": f"{VAULT_DIRECTORY}/ca.crt" if settings.vault_ca_config_map else None,
        "HEADGATE_BROKER_TOKEN_FILE": f"{BROKER_DIRECTORY}/token",
        "HEADGATE_RELAY_TOKEN_FILE": f"{RELAY_DIRECTORY}/token",
        "HEADGATE_TLS_DIR": TLS_DIRECTORY,
        "HEADGATE_PLAIN_HTTP": str(fleet.spec.tls.plain_http).lower(),
        "HEADGATE_STATE_DIR": STATE_DIRECTORY,
        "HEADGATE_PORT_HTTP": str(fleet.spec.ports.http),
        "HEADGATE_PORT_HTTPS": str(fleet.spec.ports.https),
        "HEADGATE_PORT_ADMIN": str(fleet.spec.ports.admin),
        "HEADGATE_DRAIN_SECONDS": str(fleet.spec.drain_seconds),
        "HEADGATE_OTLP_ENDPOINT": telemetry.otlp_endpoint,
        "HEADGATE_SAMPLING_PERCENT": str(telemetry.sampling_percent),
        "HEADGATE_LOG_LEVEL": settings.log_level,
    }
    fields = {"HEADGATE_NAMESPACE": "metadata.namespace", "HEADGATE_POD_NAME": "metadata.name"}
    return [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()] + [
        {"name": name, "value": value} for name, value in values.items() if value is not None
    ]


def _volumes(settings: ProxySettings, secret: str) -> list[Object]:
    root_ca = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    vault_sources = [_token(names.AUDIENCE_VAULT)]
    if settings.vault_ca_config_map:
        items = [{"key": "ca.crt", "path": "ca.crt"}]
        vault_sources.append({"configMap": {"name": settings.vault_ca_config_map, "items": items}})
    return [
        {"name": "kube", "projected": {"sources": [_token(None), root_ca]}},
        {"name": "vault", "projected": {"sources": vault_sources}},
        {"name": "broker", "projected": {"sources": [_token(names.AUDIENCE_BROKER)]}},
        {"name": "relay", "projected": {"sources": [_token(names.AUDIENCE_RELAY)]}},
        {"name": "tls", "secret": {"secretName": secret}},
        {"name": "state", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]


def _token(audience: str | None) -> Object:
    projection: Object = {"path": "token", "expirationSeconds": _TOKEN_SECONDS}
    if audience is not None:
        projection["audience"] = audience
    return {"serviceAccountToken": projection}
