"""A port-forward's frames, one by one: what is data, what is an end, and what is said about a port that nobody listens at."""

from typing import Any

import pytest
from websocket import ABNF, WebSocketConnectionClosedException, WebSocketTimeoutException

from headgate_cli.cluster.forward import Forwarded


class Frames:
    """A WebSocket on which these frames come in."""

    def __init__(self, *frames: tuple[int, bytes] | Exception) -> None:
        self._frames = list(frames)
        self.sent: list[bytes] = []

    def recv_data(self) -> tuple[int, bytes]:
        frame = self._frames.pop(0)
        if isinstance(frame, Exception):
            raise frame
        return frame

    def send(self, data: bytes, **_: Any) -> None:
        self.sent.append(data)


def data(content: bytes) -> tuple[int, bytes]:
    return ABNF.OPCODE_BINARY, content


BEGUN = (data(b"\x00\x9a\x1f"), data(b"\x01\x9a\x1f"))


def test_what_comes_first_on_each_channel_is_the_port_and_then_come_the_bytes() -> None:
    stream = Forwarded(Frames(*BEGUN, data(b"\x00"), data(b"\x00one"), data(b"\x00two"), (ABNF.OPCODE_CLOSE, b"")))
    assert [stream.receive() for _ in range(3)] == [b"one", b"two", b""]


def test_what_goes_out_is_on_the_data_channel() -> None:
    frames = Frames()
    Forwarded(frames).send(b"hello")
    assert frames.sent == [b"\x00hello"]


def test_a_port_that_nobody_listens_at_is_told_in_the_nodes_words() -> None:
    with pytest.raises(ConnectionError, match="connection refused"):
        Forwarded(Frames(*BEGUN, data(b"\x01dial tcp4 127.0.0.1:8090: connection refused"))).receive()


@pytest.mark.parametrize("frame", [(ABNF.OPCODE_TEXT, b"hello"), (ABNF.OPCODE_BINARY, b"")])
def test_anything_else_is_no_port_forward(frame: tuple[int, bytes]) -> None:
    with pytest.raises(ConnectionError, match="no port-forward"):
        Forwarded(Frames(*BEGUN, frame)).receive()


def test_its_errors_are_those_of_a_socket() -> None:
    with pytest.raises(TimeoutError):
        Forwarded(Frames(WebSocketTimeoutException("slow"))).receive()
    with pytest.raises(ConnectionError, match="gone"):
        Forwarded(Frames(WebSocketConnectionClosedException("gone"))).receive()
