"""Deleting an inventory phase by phase, without hanging on a finalizer whose owner is gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from headgate_api import names
from headgate_cli.cluster.api import Api, sentence
from headgate_cli.console import Console
from headgate_cli.purge.inventory import Inventory, Item
from headgate_runtime.kube_errors import KubeError

_ATTEMPTS: Final = 5
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Left:
    """What could not be deleted, and why."""

    item: Item
    reason: str


def carry_out(api: Api, console: Console, inventory: Inventory, *, patience: float) -> list[Left]:
    """Delete everything; return what is left. ``patience``: seconds that each phase's objects may take to go."""
    left: list[Left] = []
    for title, items in inventory.phases:
        if items:
            refused = [failure for item in items if (failure := _delete(api, item)) is not None]
            gone_for = [item for item in items if item not in [each.item for each in refused]]
            left += [*refused, *_wait(api, console, gone_for, patience)]
            console.say(f"  {title}: {len(items)} deleted")
    return left


def _delete(api: Api, item: Item) -> Left | None:
    try:
        if api.delete(item.kind, item.namespace, item.name):
            _let_go(api, item)
    except KubeError as error:
        return Left(item, sentence(error))
    return None


def _let_go(api: Api, item: Item) -> None:
    """Take Headgate's own finalizers off an object that is being deleted; others' stay, and are reported."""
    for _ in range(_ATTEMPTS):
        body = api.get(item.kind, item.namespace, item.name)
        held = [] if body is None else list(body["metadata"].get("finalizers") or ())
        rest = [each for each in held if not each.startswith(f"{names.GROUP}/")]
        if rest == held:
            return
        path = "/metadata/finalizers"
        operations = [{"op": "test", "path": path, "value": held}, {"op": "replace", "path": path, "value": rest}]
        try:
            api.json_patch(item.kind, item.namespace, item.name, operations)
        except KubeError as error:
            if error.status not in (404, 409, 422):
                raise


def _wait(api: Api, console: Console, items: Sequence[Item], patience: float) -> list[Left]:
    begun, left = console.clock.monotonic(), list(items)
    while True:
        bodies = [(item, api.get(item.kind, item.namespace, item.name)) for item in left]
        left = [item for item, body in bodies if body is not None]
        if not left or console.clock.monotonic() - begun >= patience:
            break
        console.sleep(_LOOK_SECONDS)
    held = {item: (body or {}).get("metadata", {}).get("finalizers") or [] for item, body in bodies}
    return [Left(item, _why(held[item], patience)) for item in left]


def _why(finalizers: Sequence[str], patience: float) -> str:
    if finalizers:
        return f"it waits for {', '.join(finalizers)}, which is not Headgate's: see who carries that out, or take it off by hand"
    return f"it was deleted, but is still there after {patience:g} s; look again later"
