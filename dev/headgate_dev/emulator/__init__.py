"""An emulated LLM vendor: strict about requests, deterministic in its answers, and able to fail in every way vendors do."""

from headgate_dev.emulator.credentials import Credentials, TokenState
from headgate_dev.emulator.faults import Fault, FaultKind
from headgate_dev.emulator.journal import RecordedRequest
from headgate_dev.emulator.plans import Plan, Window
from headgate_dev.emulator.server import Emulator
from headgate_dev.emulator.thread import EmulatorThread
from headgate_dev.emulator.tls import ServerTLS, throwaway_tls

__all__ = [
    "Credentials",
    "Emulator",
    "EmulatorThread",
    "Fault",
    "FaultKind",
    "Plan",
    "RecordedRequest",
    "ServerTLS",
    "TokenState",
    "Window",
    "throwaway_tls",
]
