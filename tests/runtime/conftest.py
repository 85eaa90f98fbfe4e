"""What tests of the shared adapters need in common."""

import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_implicit_event_loop() -> None:
    """Keep plugins that ask for the present event loop in synchronous tests from making one that nobody closes."""
    asyncio.set_event_loop(None)
