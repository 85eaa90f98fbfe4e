"""``smoke``: find out what the answers must say, ask, show."""

import argparse
from pathlib import Path

from pydantic import ValidationError

from headgate_api.resources import LLMProvider
from headgate_api.secret import Secret
from headgate_cli import command
from headgate_cli.cluster.api import Api
from headgate_cli.console import REFUSED, USAGE, Console, Refusal
from headgate_cli.rollout import read
from headgate_cli.smoke import render
from headgate_cli.smoke.ask import Wanted, ask
from headgate_cli.smoke.probes import probes
from headgate_runtime.kube_kinds import LLM_PROVIDER


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = command.parser(
        "smoke",
        "Ask the canary a fixed list of requests and show HTTP codes and redacted payloads. Exit status 1 when an answer is not as "
        "it must be. With --model alone, no cluster is asked.",
    )
    parser.add_argument("policy", nargs="?", metavar="POLICY", help="answers must come from its rollout")
    parser.add_argument(
        "--provider", metavar="NAME", help="LLMProvider whose model is asked for (default: the policy's first)"
    )
    parser.add_argument("--model", help="model to ask for (default: the provider's first)")
    parser.add_argument(
        "--url",
        required=True,
        help="base URL of the fleet, such as https://headgate-proxy-default.headgate-system.svc:8443",
    )
    parser.add_argument(
        "--token-file", required=True, metavar="FILE", help="a tester's ServiceAccount token, audience headgate"
    )
    parser.add_argument("--ca-file", metavar="FILE", help="PEM authority of the fleet's certificate")
    parser.add_argument(
        "--track", choices=["canary", "stable", "any"], default="canary", help="track to ask for (default: canary)"
    )
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="per request (default: 60)")
    arguments = parser.parse_args(argv)
    if arguments.model is not None and arguments.policy is None:
        return command.refusing(parser, arguments, lambda console: run(arguments, None, console))
    return command.execute(parser, run, argv)


def run(arguments: argparse.Namespace, api: Api | None, console: Console) -> int:
    """Ask and show; ``api`` None: everything that is needed stands on the command line."""
    model, rollout = arguments.model, None
    if api is not None:
        model, rollout = _of_cluster(arguments, api)
    wanted = Wanted(
        arguments.url,
        _token(arguments.token_file),
        model,
        None if arguments.track == "any" else arguments.track,
        rollout if arguments.track == "canary" else None,
        arguments.ca_file,
        arguments.timeout,
    )
    try:
        traces = ask(wanted, probes(model), console.clock)
    except OSError as error:
        raise Refusal(f"--ca-file {arguments.ca_file} cannot be used: {error}", USAGE) from error
    failed = [trace for trace in traces if trace.problems]
    console.say(render.text(wanted, traces, console.style))
    console.emit(
        {"url": wanted.url, "model": model, "passed": not failed, "requests": [each.to_json() for each in traces]}
    )
    return REFUSED if failed else 0


def _of_cluster(arguments: argparse.Namespace, api: Api) -> tuple[str, str | None]:
    """Return the model to ask for and the rollout that must answer. Raises Refusal."""
    provider, rollout = arguments.provider, None
    if arguments.policy is not None:
        subject, _ = read.subject(api, arguments.namespace, arguments.policy)
        under_way = subject.policy.status.rollout
        if under_way is None and arguments.track == "canary":
            raise Refusal(
                f"{subject.label} has no rollout under way: there is no canary to ask; --track stable asks stable"
            )
        rollout = f"{subject.label}@{under_way.revision}" if under_way is not None else None
        targets = [target.name for target in subject.spec.targets if target.kind == LLMProvider.KIND]
        provider = provider or next(iter(targets), None)
    if arguments.model is not None:
        return arguments.model, rollout
    if provider is None:
        raise Refusal("which model? Name a --provider or a --model (the policy's target is no LLMProvider)", USAGE)
    body = api.get(LLM_PROVIDER, arguments.namespace, provider)
    if body is None:
        raise Refusal(f"there is no LLMProvider {provider} in namespace {arguments.namespace}")
    try:
        return LLMProvider.from_wire(body).spec.models[0].name, rollout
    except ValidationError as error:
        raise Refusal(f"LLMProvider {provider} cannot be read by this version; name a --model") from error


def _token(path: str) -> Secret:
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Refusal(f"--token-file {path} cannot be read: {error.strerror}", USAGE) from error
    if not token:
        raise Refusal(f"--token-file {path} is empty", USAGE)
    return Secret(token)
