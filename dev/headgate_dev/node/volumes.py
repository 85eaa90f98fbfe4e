"""The folders that stand for a pod's volumes, and what is written into them: data, tokens, downward API."""

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headgate_dev.node.kube import NodeKube
from headgate_dev.node.payload import swap
from headgate_dev.node.translate import MissingReferenceError, field_value
from headgate_runtime.kube import Object
from headgate_runtime.kube_kinds import CONFIG_MAP, SECRET

REFRESH_AT: Final = 0.8
"""The share of a token's life after which a kubelet replaces it."""

_DEFAULT_TOKEN_SECONDS: Final = 3600


@dataclass(frozen=True)
class TokenFile:
    """A projected ServiceAccount token: where in which volume, for whom, and for how many seconds."""

    volume: str
    path: str
    audience: str | None
    seconds: int


class Volumes:
    """A pod's volumes below ``folder``; ConfigMaps and Secrets in them are followed, and tokens renewed."""

    def __init__(self, kube: NodeKube, pod: Object, folder: Path) -> None:
        self._kube = kube
        self._pod = pod
        self._namespace = pod["metadata"]["namespace"]
        self._specs: list[dict[str, Any]] = pod["spec"].get("volumes") or []
        self.folders = {volume["name"]: folder / volume["name"] for volume in self._specs}
        self.tokens = [token for volume in self._specs for token in self._tokens_of(volume)]
        self._tokens: dict[TokenFile, bytes] = {}
        self._written: dict[str, dict[str, bytes]] = {}

    @property
    def mounted(self) -> set[tuple[str, str]]:
        """Return (`configMap` | `secret`, name) of each object whose data is mounted."""
        return {found for volume in self._specs for source in _sources(volume) if (found := _object_of(source))}

    async def prepare(self) -> None:
        """Make the folders and write everything into them.

        Raises MissingReferenceError for a Secret or ConfigMap that is not there, KubeError, KubeUnavailable.
        """
        for volume in self._specs:
            self.folders[volume["name"]].mkdir(parents=True, exist_ok=True)
            await self._write(volume)
        for token in self.tokens:
            await self.renew(token)

    async def refresh(self, kind: str, name: str) -> None:
        """Write what mounts the object anew; what is missing now stays as it was, as with a kubelet.

        Raises KubeError, KubeUnavailable.
        """
        for volume in self._specs:
            if (kind, name) in {_object_of(source) for source in _sources(volume)}:
                with suppress(MissingReferenceError):
                    await self._write(volume)

    async def renew(self, token: TokenFile) -> None:
        """Ask for a new token and put it in place of the old one at once."""
        self._tokens[token] = (await self._kube.pod_token(self._pod, token.audience, token.seconds)).encode()
        files = self._written.get(token.volume, {}) | {token.path: self._tokens[token]}
        self._put(token.volume, files)

    async def _write(self, volume: Mapping[str, Any]) -> None:
        files: dict[str, bytes] = {}
        for source in _sources(volume):
            files |= await self._files(source)
        # Asked for last, since a token may be renewed while the rest is read.
        files |= {token.path: held for token, held in self._tokens.items() if token.volume == volume["name"]}
        if files:
            self._put(volume["name"], files)

    def _put(self, volume: str, files: dict[str, bytes]) -> None:
        if files != self._written.get(volume):
            swap(self.folders[volume], files)
            self._written[volume] = files

    async def data(self, kind: str, name: str) -> dict[str, bytes] | None:
        """Return the decoded data of a `configMap` or `secret`, or None where there is none."""
        found = await self._kube.get(CONFIG_MAP if kind == "configMap" else SECRET, self._namespace, name)
        if found is None:
            return None
        if kind == "secret":
            return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
        binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        return {key: value.encode() for key, value in (found.get("data") or {}).items()} | binary

    async def _files(self, source: Mapping[str, Any]) -> dict[str, bytes]:
        if downward := source.get("downwardAPI"):
            items = downward.get("items") or ()
            return {item["path"]: field_value(self._pod, item["fieldRef"]["fieldPath"]).encode() for item in items}
        if found := _object_of(source):
            kind, name = found
            reference = source[kind]
            data = await self.data(kind, name)
            return select(data, reference.get("items"), f"{kind} {name}", optional=reference.get("optional", False))
        return {}

    def _tokens_of(self, volume: Mapping[str, Any]) -> list[TokenFile]:
        return [
            TokenFile(
                volume["name"],
                token["path"],
                token.get("audience"),
                int(token.get("expirationSeconds", _DEFAULT_TOKEN_SECONDS)),
            )
            for source in _sources(volume)
            if (token := source.get("serviceAccountToken"))
        ]


def select(
    data: Mapping[str, bytes] | None, items: list[dict[str, Any]] | None, what: str, *, optional: bool
) -> dict[str, bytes]:
    """Return relative path -> content of a ConfigMap or Secret volume, by ``items`` or all keys.

    Raises MissingReferenceError when the object or a listed key is missing and not ``optional``.
    """
    if data is None:
        if optional:
            return {}
        raise MissingReferenceError(f"{what} does not exist")
    if not items:
        return dict(data)
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not optional:
        raise MissingReferenceError(f"{what} has no key {missing[0]!r}")
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def _sources(volume: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(volume.get("projected", {}).get("sources") or ()) or [volume]


def _object_of(source: Mapping[str, Any]) -> tuple[str, str] | None:
    for kind in ("configMap", "secret"):
        if reference := source.get(kind):
            return kind, reference.get("name") or reference["secretName"]
    return None
