"""``purge``: list what stays behind, ask, and delete it in an order that hangs on nothing."""

import argparse
import os
from typing import Any

from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import REFUSED, USAGE, Console, Refusal
from headgate_cli.purge.carry_out import Left, carry_out
from headgate_cli.purge.inventory import Inventory, collect, running
from headgate_cli.purge.vault import Records, VaultAccess, derived
from headgate_runtime.kube_kinds import LLM_PROVIDER, SUBSCRIPTION_ACCOUNT


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "purge",
        "Delete everything of Headgate's that `helm uninstall` keeps, in all namespaces: custom resources, revisions, "
        "certificates, snapshots, definitions. Records in Vault go only with --vault.",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="only list what would go")
    parser.add_argument(
        "--vault", action="store_true", help="also delete the records in Vault (VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT)"
    )
    parser.add_argument(
        "--vault-mount", metavar="MOUNT", help="KV v2 mount (default: HEADGATE_VAULT_MOUNT, or headgate)"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long deleted objects may take to go (default: 60)",
    )
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api, console: Console) -> int:
    """Purge the cluster, and Vault where asked."""
    records = Records(VaultAccess.from_env(os.environ, arguments.vault_mount)) if arguments.vault else None
    inventory, paths = collect(api), records.paths() if records is not None else []
    for title, items in inventory.phases:
        console.say(f"{title}: {len(items) or 'none'}")
        for item in items:
            console.say(f"  {item.label}")
    if records is not None:
        console.say(f"records in Vault: {len(paths) or 'none'}")
        for path in paths:
            console.say(f"  {path}")
    console.say()
    if arguments.dry_run:
        console.emit(_report(inventory, [], paths, done=False))
        return 0
    if still := running(api):
        raise Refusal(
            f"the operator still runs ({', '.join(still)}) and would make again what is deleted here: run "
            "`helm uninstall` first, then purge"
        )
    _consent(arguments, console, len(inventory.items) + len(paths))
    left = carry_out(api, console, inventory, patience=arguments.wait)
    if records is not None:
        for path in paths:
            records.delete(path)
        console.say(f"  records in Vault: {len(paths)} deleted")
    else:
        _say_what_vault_keeps(inventory, console)
    for each in left:
        console.warn(f"left: {each.item.label}: {each.reason}")
    console.emit(_report(inventory, left, paths, done=True))
    return REFUSED if left else 0


def _consent(arguments: argparse.Namespace, console: Console, count: int) -> None:
    if arguments.yes or count == 0:
        return
    if console.ask is None:
        raise Refusal("nobody can be asked here; look with --dry-run, and agree with --yes", USAGE)
    if not console.confirmed(f"Delete these {count} for good?"):
        raise Refusal("nothing was deleted")


def _say_what_vault_keeps(inventory: Inventory, console: Console) -> None:
    console.say("Vault keeps its records, below Headgate's mount; delete them with --vault, or the mount as a whole:")
    for path in _derived(inventory):
        console.say(f"  {path}")


def _derived(inventory: Inventory) -> list[str]:
    def named(kind: str) -> list[tuple[str, str]]:
        return [(item.namespace or "", item.name) for item in inventory.resources if item.kind.kind == kind]

    return derived(named(LLM_PROVIDER.kind), named(SUBSCRIPTION_ACCOUNT.kind))


def _report(inventory: Inventory, left: list[Left], paths: list[str], *, done: bool) -> dict[str, Any]:
    """Return the shape of ``purge -o json``."""
    remaining = [each.item for each in left]
    deleted = [item for item in inventory.items if item not in remaining]
    return {
        "deleted" if done else "wouldDelete": [item.to_json() for item in deleted],
        "left": [each.item.to_json() | {"reason": each.reason} for each in left],
        "vault": {"deleted" if done else "wouldDelete": paths},
    }
