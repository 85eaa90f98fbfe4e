"""What a ProxyFleet stands for in Kubernetes objects: a pure translation, applied by server-side apply.

The pods get one projected token per audience and no default token; their only right at the API server is to read
ConfigMaps of their namespace, where snapshots live.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate_api import names
from headgate_api.resources import ProxyFleet

Object = dict[str, Any]

KUBE_DIRECTORY: Final = "/var/run/secrets/headgate/kube"
VAULT_DIRECTORY: Final = "/var/run/secrets/headgate/vault"
BROKER_DIRECTORY: Final = "/var/run/secrets/headgate/broker"
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


def common_labels(fleet: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of everything that belongs to a fleet (given as JSON)."""
    name = fleet["metadata"]["name"]
    return {
        names.LABEL_NAME: "headgate",
        names.LABEL_INSTANCE: name,
        names.LABEL_COMPONENT: "proxy",
        names.LABEL_MANAGED_BY: names.FIELD_MANAGER,
        names.LABEL_FLEET: name,
    }


def owner_of(fleet: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ownerReference to a fleet: what it owns is deleted with it."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": ProxyFleet.KIND,
        "name": fleet["metadata"]["name"],
        "uid": fleet["metadata"]["uid"],
        "controller": True,
    }


def selector_of(fleet: str) -> dict[str, str]:
    """Return the pod selector of a fleet's stable track; a Deployment's selector can never change."""
    return {names.LABEL_FLEET: fleet, names.LABEL_TRACK: "stable"}


def manifests(body: Mapping[str, Any], settings: ProxySettings) -> list[Object]:
    """Return the objects of a fleet (given as JSON) in the order in which they are applied."""
    fleet = ProxyFleet.from_wire(body)
    name = names.proxy_name(fleet.metadata.name)
    subject = {"kind": "ServiceAccount", "name": name, "namespace": fleet.metadata.namespace}
    role_ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    made: list[Object] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": [rule]},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "roleRef": role_ref,
            "subjects": [subject],
        },
        {"apiVersion": "v1", "kind": "Service", "spec": _service_spec(fleet)},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": _deployment_spec(fleet, common_labels(body), settings)},
    ]
    for manifest in made:
        manifest["metadata"] = {
            "name": name,
            "namespace": fleet.metadata.namespace,
            "labels": common_labels(body),
            "ownerReferences": [owner_of(body)],
        }
    return made


def _service_spec(fleet: ProxyFleet) -> Object:
    return {
        "selector": selector_of(fleet.metadata.name),
        "ports": [{"name": "http", "port": fleet.spec.ports.http, "targetPort": "http", "protocol": "TCP"}],
    }


def _deployment_spec(fleet: ProxyFleet, labels: Mapping[str, str], settings: ProxySettings) -> Object:
    template = fleet.spec.pod_template
    selector = selector_of(fleet.metadata.name)
    pod: Object = {
        "serviceAccountName": names.proxy_name(fleet.metadata.name),
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
        "containers": [_container(fleet, settings)],
        "volumes": _volumes(settings),
    }
    if template.node_selector:
        pod["nodeSelector"] = dict(template.node_selector)
    if template.tolerations:
        pod["tolerations"] = list(template.tolerations)
    if template.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": secret} for secret in template.image_pull_secrets]
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
    return {
        "replicas": fleet.spec.replicas,
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": metadata, "spec": pod},
    }


def _container(fleet: ProxyFleet, settings: ProxySettings) -> Object:
    ports = fleet.spec.ports
    return {
        "name": "proxy",
        "image": fleet.spec.image,
        "command": ["headgate", "proxy"],
        "env": _env(fleet, settings),
        "ports": [
            {"name": "http", "containerPort": ports.http, "protocol": "TCP"},
            {"name": "admin", "containerPort": ports.admin, "protocol": "TCP"},
        ],
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 10, "failureThreshold": 3},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "admin"}, "periodSeconds": 2, "failureThreshold": 2},
        "resources": dict(fleet.spec.pod_template.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "kube", "mountPath": KUBE_DIRECTORY, "readOnly": True},
            {"name": "vault", "mountPath": VAULT_DIRECTORY, "readOnly": True},
            {"name": "broker", "mountPath": BROKER_DIRECTORY, "readOnly": True},
            {"name": "state", "mountPath": STATE_DIRECTORY},
        ],
    }


def _env(fleet: ProxyFleet, settings: ProxySettings) -> list[Object]:
    telemetry = fleet.spec.telemetry
    values: dict[str, str | None] = {
        "HEADGATE_FLEET": fleet.metadata.name,
        "HEADGATE_TRACK": "stable",
        "HEADGATE_KUBE_TOKEN_FILE": f"{KUBE_DIRECTORY}/token",
        "HEADGATE_KUBE_CA_FILE": f"{KUBE_DIRECTORY}/ca.crt",
        "HEADGATE_VAULT_ADDR": settings.vault_address,
        "HEADGATE_VAULT_MOUNT": settings.vault_mount,
        "HEADGATE_VAULT_AUTH": settings.vault_auth,
        "HEADGATE_VAULT_AUTH_PATH": settings.vault_auth_path,
        "HEADGATE_VAULT_ROLE": settings.vault_role,
        "HEADGATE_VAULT_TOKEN_FILE": f"{VAULT_DIRECTORY}/token",
        "HEADGATE_VAULT_CA_FILE": f"{VAULT_DIRECTORY}/ca.crt" if settings.vault_ca_config_map else None,
        "HEADGATE_BROKER_TOKEN_FILE": f"{BROKER_DIRECTORY}/token",
        "HEADGATE_STATE_DIR": STATE_DIRECTORY,
        "HEADGATE_PORT_HTTP": str(fleet.spec.ports.http),
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


def _volumes(settings: ProxySettings) -> list[Object]:
    root_ca = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    vault_sources = [_token(names.AUDIENCE_VAULT)]
    if settings.vault_ca_config_map:
        items = [{"key": "ca.crt", "path": "ca.crt"}]
        vault_sources.append({"configMap": {"name": settings.vault_ca_config_map, "items": items}})
    return [
        {"name": "kube", "projected": {"sources": [_token(None), root_ca]}},
        {"name": "vault", "projected": {"sources": vault_sources}},
        {"name": "broker", "projected": {"sources": [_token(names.AUDIENCE_BROKER)]}},
        {"name": "state", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]


def _token(audience: str | None) -> Object:
    projection: Object = {"path": "token", "expirationSeconds": _TOKEN_SECONDS}
    if audience is not None:
        projection["audience"] = audience
    return {"serviceAccountToken": projection}
