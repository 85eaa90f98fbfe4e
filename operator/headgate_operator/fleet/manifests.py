"""What a ProxyFleet stands for in Kubernetes objects: a pure translation, applied by server-side apply.

The two tracks are two Deployments: the stable one, which the Service selects, and the canary, which only stable proxies reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from headgate_api import names
from headgate_api.resources import ProxyFleet
from headgate_api.resources.base import KubeModel
from headgate_api.revisions import FleetBundle
from headgate_api.snapshot import canonical_json
from headgate_operator.fleet.pods import Object, ProxySettings, Track, account_of, pod_template, selector_of
from headgate_operator.revisions.bundles import Form, fleet_bundle

ANNOTATION_FORM: Final = f"{names.GROUP}/form"
"""On a Deployment: revision and content of the form that its pods run, as JSON; what was applied last can be read back."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """What each track is to run. ``stable`` None: no image was ever promoted, so there is no stable track yet."""

    stable: Form | None
    canary: Form | None = None
    canary_replicas: int = 0


def live_form(fleet: ProxyFleet) -> Form:
    """Return the form that a fleet's spec asks for."""
    bundle = fleet_bundle(fleet)
    return Form(bundle.revision, bundle)


def form_in(deployment: Mapping[str, Any] | None) -> Form | None:
    """Return the form that was applied to a Deployment last, or None when there is none or it says nothing."""
    annotations = ((deployment or {}).get("metadata") or {}).get("annotations") or {}
    try:
        kept = _KeptForm.model_validate_json(annotations.get(ANNOTATION_FORM, ""))
    except ValidationError:
        return None
    return Form(kept.revision, kept.bundle)


class _KeptForm(KubeModel):
    revision: str
    bundle: FleetBundle


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


def manifests(
    body: Mapping[str, Any], settings: ProxySettings, tracks: Tracks | None = None, *, secret: str | None = None
) -> list[Object]:
    """Return the objects of a fleet (given as JSON) in the order in which they are applied.

    ``tracks`` None: the stable track as spec asks for. ``secret`` holds the certificate; None: the one the operator makes.
    """
    fleet = ProxyFleet.from_wire(body)
    name = fleet.metadata.name
    tracks = tracks or Tracks(live_form(fleet))
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    # The Role first: the API server lets nobody bind a Role that is not there.
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": [rule]}
    made = [_named(names.proxy_name(name), role)]
    for track in _TRACKS:
        account = account_of(name, track)
        subject = {"kind": "ServiceAccount", "name": account, "namespace": fleet.metadata.namespace}
        role_ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names.proxy_name(name)}
        binding = {"roleRef": role_ref, "subjects": [subject]}
        made += [
            _named(account, {"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False}),
            _named(account, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", **binding}),
        ]
    made.append(_named(names.proxy_name(name), {"apiVersion": "v1", "kind": "Service", "spec": _service_spec(fleet)}))
    mounted = secret or fleet.spec.tls.secret_name or names.tls_secret(name)
    labels = common_labels(body)
    for track, form, replicas in (
        ("stable", tracks.stable, fleet.spec.replicas),
        ("canary", tracks.canary or tracks.stable, tracks.canary_replicas),
    ):
        if form is not None:
            made.append(_deployment(fleet, form, labels, settings, track=track, replicas=replicas, secret=mounted))
    for manifest in made:
        manifest["metadata"] |= {
            "namespace": fleet.metadata.namespace,
            "labels": labels,
            "ownerReferences": [owner_of(body)],
        }
    return made


def _named(name: str, manifest: Object) -> Object:
    return {**manifest, "metadata": {"name": name}}


def _service_spec(fleet: ProxyFleet) -> Object:
    ports = {"http": fleet.spec.ports.http} if fleet.spec.tls.plain_http else {}
    ports["https"] = fleet.spec.ports.https
    return {
        "selector": selector_of(fleet.metadata.name),
        "ports": [
            {"name": name, "port": number, "targetPort": name, "protocol": "TCP"} for name, number in ports.items()
        ],
    }


def _deployment(
    fleet: ProxyFleet,
    form: Form,
    labels: Mapping[str, str],
    settings: ProxySettings,
    *,
    track: Track,
    replicas: int,
    secret: str,
) -> Object:
    bundle = form.bundle
    if not isinstance(bundle, FleetBundle):
        raise TypeError(f"{form.revision} is no form of a ProxyFleet")
    # Only the canary's pods tell their form: stable ones would be replaced for nothing when Headgate learns another hash.
    own = {names.LABEL_REVISION: form.revision} if track == "canary" else {}
    template = pod_template(fleet, bundle, {**labels, **own}, settings, track=track, secret=secret)
    kept = _KeptForm(revision=form.revision, bundle=bundle)
    name = names.canary_name(fleet.metadata.name) if track == "canary" else names.proxy_name(fleet.metadata.name)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": {ANNOTATION_FORM: canonical_json(kept.to_wire())}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector_of(fleet.metadata.name, track)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template,
        },
    }


_TRACKS: Final[tuple[Track, ...]] = ("canary", "stable")

__all__ = [
    "ANNOTATION_FORM",
    "ProxySettings",
    "Tracks",
    "common_labels",
    "form_in",
    "live_form",
    "manifests",
    "owner_of",
    "selector_of",
]
