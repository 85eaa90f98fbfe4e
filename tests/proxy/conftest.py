"""What all tests of the proxy need of their surroundings."""

import asyncio


def pytest_configure() -> None:
    """Keep pytest-asyncio from making an event loop only to lose it.

    Before its first test it asks for "the current loop"; where nobody has said that there is none, asyncio makes one,
    and the warning about the loop nobody closed fails whichever test runs when it is collected.
    """
    asyncio.set_event_loop(None)
