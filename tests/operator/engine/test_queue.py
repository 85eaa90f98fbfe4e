"""The work queue on a loop whose time the test owns."""

import asyncio

import pytest

from headgate_operator.engine.keys import Key
from headgate_operator.engine.queue import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS, WorkQueue

A = Key("LLMProvider", "team", "a")
B = Key("LLMProvider", "team", "b")

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_key_waits_once_however_often_it_is_asked_for() -> None:
    queue = WorkQueue()
    for _ in range(5):
        queue.add(A)
    queue.add(B)
    assert [await queue.take(), await queue.take()] == [A, B]
    assert queue.depth == 0


async def test_a_key_being_handled_is_not_given_to_another_worker_but_comes_back() -> None:
    queue = WorkQueue()
    queue.add(A)
    await queue.take()
    queue.add(A)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await queue.take()
    queue.done(A)
    assert await queue.take() == A


async def test_a_delayed_key_comes_when_due_and_the_earlier_of_two_delays_counts() -> None:
    queue, loop = WorkQueue(), asyncio.get_running_loop()
    began = loop.time()
    queue.add(A, delay=30)
    queue.add(A, delay=5)
    queue.add(A, delay=60)
    assert await queue.take() == A
    assert loop.time() - began == pytest.approx(5, abs=0.1)


async def test_an_event_does_not_wait_for_a_delay() -> None:
    queue, loop = WorkQueue(), asyncio.get_running_loop()
    began = loop.time()
    queue.add(A, delay=30)
    queue.add(A)
    assert await queue.take() == A
    assert loop.time() - began < 0.1


async def test_failures_back_off_up_to_a_bound_and_success_forgets_them() -> None:
    queue = WorkQueue()
    delays = [queue.failed(A) for _ in range(12)]
    assert delays[:4] == [FIRST_BACKOFF_SECONDS * 2**n for n in range(4)]
    assert delays[-1] == LONGEST_BACKOFF_SECONDS
    assert queue.failed(B) == FIRST_BACKOFF_SECONDS
    queue.succeeded(A)
    assert queue.failed(A) == FIRST_BACKOFF_SECONDS
    queue.close()


async def test_after_close_no_delayed_key_appears() -> None:
    queue = WorkQueue()
    queue.add(A, delay=1)
    queue.close()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await queue.take()
