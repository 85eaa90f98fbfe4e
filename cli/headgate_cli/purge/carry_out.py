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
            remaining = _phase(api, console, items, patience)
            console.say(f"  {title}: {len(items) - len(remaining)} of {len(items)} gone")
            left += remaining
    return left


def _phase(api: Api, console: Console, items: Sequence[Item], patience: float) -> list[Left]:
    """Delete the items and see them go. One that an admission policy refuses is tried again: those act on for a moment."""
    begun, asked = console.clock.monotonic(), {item: _delete(api, item) for item in items}
    while True:
        asked = {item: refused for item, refused in asked.items() if _is_there(api, item)}
        again = [item for item, refused in asked.items() if _by_policy(refused)]
        given_up = not again and all(refused is not None for refused in asked.values())
        if given_up or console.clock.monotonic() - begun >= patience:
            return [Left(item, _why(api, item, refused, patience)) for item, refused in asked.items()]
        console.sleep(_LOOK_SECONDS)
        asked |= {item: _delete(api, item) for item in again}


def _delete(api: Api, item: Item) -> KubeError | None:
    """Delete the item and let go of it; return the refusal, if it is refused."""
    try:
        if api.delete(item.kind, item.namespace, item.name):
            _let_go(api, item)
    except KubeError as error:
        return error
    return None


def _by_policy(refused: KubeError | None) -> bool:
    return refused is not None and "denied request" in refused.message


def _is_there(api: Api, item: Item) -> bool:
    return api.get(item.kind, item.namespace, item.name) is not None


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


def _why(api: Api, item: Item, refused: KubeError | None, patience: float) -> str:
    if refused is not None:
        return sentence(refused)
    body = api.get(item.kind, item.namespace, item.name) or {}
    if finalizers := body.get("metadata", {}).get("finalizers"):
        return f"it waits for {', '.join(finalizers)}, which is not Headgate's: see who carries that out, or take it off by hand"
    return f"it was deleted, but is still there after {patience:g} s; look again later"
