"""Canary secrets are planted in every way a log line can carry one; none may come out."""

import io
import json
import logging
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from headgate_api.redaction import Redactor
from headgate_api.secret import Secret
from headgate_runtime.logs import JSONFormatter

CANARY = "canary-" + "0f" * 8
"""A value without any recognisable shape: only having been remembered can catch it."""


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter(Redactor([Secret(CANARY)]), "proxy"))
    logger = logging.getLogger("canary")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_the_fields_people_search_by(output: io.StringIO) -> None:
    logging.getLogger("canary").warning("took %d ms", 12, extra={"provider": "team/claude"})
    (line,) = lines(output)
    assert line["message"] == "took 12 ms"
    assert line["level"] == "WARNING"
    assert line["component"] == "proxy"
    assert line["provider"] == "team/claude"
    assert line["time"].endswith("Z")


def test_remembered_values_never_come_out(output: io.StringIO) -> None:
    logger = logging.getLogger("canary")
    logger.info("plain %s", CANARY)
    logger.info("dict %(a)s", {"a": CANARY})
    logger.info("extra", extra={"deep": {"list": [CANARY, {"k": CANARY}], CANARY: 1}, "object": ValueError(CANARY)})
    logger.info("stack", stack_info=True)
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            raise RuntimeError(f"while using {CANARY}") from error
    except RuntimeError:
        logger.exception("failed")
    assert CANARY not in output.getvalue()
    assert len(lines(output)) == 5
    assert "RuntimeError: while using ***" in lines(output)[-1]["traceback"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("authorization", "Basic abc"),
        ("x-api-key", "short one"),
        ("refresh_token", "with space"),
        ("password", 'q"uote'),
    ],
)
def test_fields_named_like_credentials_are_masked_whatever_they_hold(output: io.StringIO, key: str, value: str) -> None:
    logging.getLogger("canary").info("headers", extra={"headers": {key: value}})
    assert lines(output)[0]["headers"] == {key: "***"}


def test_credential_shapes_in_messages(output: io.StringIO) -> None:
    token = "eyJ" + "a" * 20 + "." + "b" * 20 + ".c"
    logging.getLogger("canary").info("got %s for https://u:p@host and Bearer abcdefgh", token)
    assert lines(output)[0]["message"] == "got *** for https://***@host and Bearer ***"


def test_a_wrong_format_string_loses_nothing_and_shows_nothing() -> None:
    record = logging.LogRecord("canary", logging.INFO, __file__, 1, "wrong format %d", (CANARY,), None)
    line = json.loads(JSONFormatter(Redactor([Secret(CANARY)]), "proxy").format(record))
    assert line["message"] == "wrong format %d ('***',)"


def test_process_wide_nets() -> None:
    """Uncaught exceptions (main thread, other threads), warnings and library loggers leave as redacted JSON lines."""
    program = f"""
        import logging, threading, warnings
        from headgate_api.redaction import Redactor
        from headgate_api.secret import Secret
        from headgate_runtime import logs
        canary = {CANARY!r}
        logs.configure("INFO", Redactor([Secret(canary)]), "proxy")
        logging.getLogger("urllib3.connectionpool").info("request noise")
        warnings.warn("beware of " + canary)
        def fail():
            raise ValueError(canary)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        class Broken:
            def __del__(self):
                raise ValueError(canary)
        Broken()
        raise SystemError(canary)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert CANARY not in done.stderr + done.stdout
    written = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line.get("error") for line in written] == [None, "ValueError", "ValueError", "SystemError"]
    assert "beware of ***" in written[0]["message"]
