"""Entry point of ``headgate proxy``: settings in, one exit status out."""

import gc
import logging
import os
import sys
from typing import Final

import uvloop

from headgate_api.clock import SystemClock
from headgate_api.redaction import Redactor
from headgate_proxy.process import run
from headgate_proxy.settings import ProxySettings
from headgate_runtime import logs
from headgate_runtime.kube import KubeUnavailable
from headgate_runtime.settings import USAGE_EXIT

_FAILED_EXIT: Final = 1
_COLLECT_AFTER: Final = 20_000
"""Objects that may be made and kept before the collector looks at them: a few megabytes."""

_log = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """Run one proxy until it is told to stop; return 0, 2 for a bad setting, 1 for anything else that ends it."""
    if argv:
        print(f"headgate proxy: takes no arguments, got {argv[0]!r}; set HEADGATE_* variables", file=sys.stderr)  # noqa: T201
        return USAGE_EXIT
    try:
        settings = ProxySettings.from_env(os.environ)
    except ValueError as error:
        print(f"headgate proxy: {error}", file=sys.stderr)  # noqa: T201
        return USAGE_EXIT
    redactor = Redactor()
    logs.configure(settings.log_level, redactor, "proxy")
    _tune_collector()
    try:
        # Unbuffered: a line is out before the next request, and one killed process loses none.
        with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as lines:
            uvloop.run(run(settings, SystemClock(), redactor, lines.write))
    except (OSError, KubeUnavailable) as error:
        _log.critical("the proxy cannot start", extra={"problem": logs.describe(redactor, error)})
        return _FAILED_EXIT
    except Exception:
        _log.critical("the proxy ends after a defect", exc_info=True)
        return _FAILED_EXIT
    return 0


def _tune_collector() -> None:
    """Keep the cycle collector off what lives as long as the process, and let requests pile up before it looks at them.

    With the interpreter's own threshold it takes a twentieth of the time: few requests leave cycles behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
