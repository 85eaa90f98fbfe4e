"""``account COMMAND``: finds which of the account commands is meant, and loads no other."""

import importlib
import sys
from typing import Final

from headgate_cli.command import program
from headgate_cli.console import USAGE

COMMANDS: Final = {
    "login": "sign in at the vendor, by way of the broker",
    "import": "take over the credential file of Claude Code, Codex or Gemini CLI",
    "acknowledge": "accept the risk of plan credentials for an account, in your own name",
    "status": "what state accounts are in, and what they need",
    "refresh": "replace the access token by a newer one now",
    "suspend": "stop all use of an account until it is resumed",
    "resume": "let a suspended account be used again",
    "revoke": "end the sign-in: revoke and forget the grant",
    "delete": "delete the account",
}
_MODULES: Final = {"import": "importing", "resume": "suspend"}


def usage() -> str:
    """Return the help text."""
    lines = [f"usage: {program()} account COMMAND [ARGUMENT ...]", "", "commands:"]
    lines += [f"  {name:<12} {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Run the command named by the first argument; return its exit status (2 for one that does not exist)."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else USAGE
    name, *rest = argv
    if name not in COMMANDS:
        print(f"{program()} account: there is no command {name!r}\n\n{usage()}", file=sys.stderr)
        return USAGE
    module = importlib.import_module(f"headgate_cli.account.{_MODULES.get(name, name)}")
    run = getattr(module, name, None) or module.main
    return int(run(rest))
