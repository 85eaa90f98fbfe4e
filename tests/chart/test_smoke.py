"""What `helm test` runs finds a working installation good, and says what is wrong with one that is not."""

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from headgate_dev.emulator.tls import throwaway_tls

from .rendering import CHART

TOKEN = "projected-token-of-a-test"


class Handler(BaseHTTPRequestHandler):
    """``/readyz`` answers 200; other paths what they say, to whoever presents the token."""

    def do_GET(self) -> None:
        if self.path == "/readyz":
            return self._answer(200)
        known = self.headers["authorization"] == f"Bearer {TOKEN}"
        return self._answer(int(self.path.removeprefix("/")) if known else 401)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(f"this is {status}".encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def server(context: ssl.SSLContext | None = None) -> Iterator[int]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listening.server_port
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def smoke(folder: Path, *arguments: str, token: str = TOKEN, ca: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "token").write_text(f"{token}\n")
    (folder / "ca.crt").write_text(ca)
    files = {"SMOKE_TOKEN_FILE": str(folder / "token"), "SMOKE_CA_FILE": str(folder / "ca.crt"), "SMOKE_SECONDS": "0"}
    script = (CHART / "files" / "smoke.py").read_text(encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **files},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_passes_where_all_answer(tmp_path: Path) -> None:
    tls = throwaway_tls()
    with server() as plain, server(tls.server_context()) as secure:
        done = smoke(
            tmp_path,
            f"operator=http://127.0.0.1:{plain}/readyz",
            f"fleet=http://127.0.0.1:{plain}/200",
            f"fleet=https://localhost:{secure}/200",
            ca=tls.ca_pem,
        )

    assert (done.returncode, done.stdout.count("PASS"), done.stderr) == (0, 3, "")
    assert TOKEN not in done.stdout


@pytest.mark.parametrize(("status", "code"), [(200, 0), (403, 0), (401, 1), (404, 1), (503, 1)])
def test_a_fleet_must_know_who_asks_though_it_need_not_serve_them(tmp_path: Path, status: int, code: int) -> None:
    with server() as port:
        done = smoke(tmp_path, f"fleet=http://127.0.0.1:{port}/{status}")

    assert (done.returncode, f"this is {status}" in done.stdout) == (code, True)


def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    with server(throwaway_tls().server_context()) as port:
        done = smoke(tmp_path, f"fleet=https://localhost:{port}/200", ca=throwaway_tls().ca_pem)

    assert done.returncode == 1
    assert "certificate verify failed" in done.stdout


def test_silence_is_a_failure_that_names_whom_it_asked(tmp_path: Path) -> None:
    with server() as port:
        pass
    done = smoke(tmp_path, f"operator=http://127.0.0.1:{port}/readyz")

    assert done.returncode == 1
    assert f"FAIL http://127.0.0.1:{port}/readyz no answer" in done.stdout
