import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.inference.batcher import DeviceLostError, InferenceTimeoutError
from app.inference.thread_pool import InferenceThreadPool

Scenario = Callable[[InferenceThreadPool], Coroutine[Any, Any, None]]


@pytest.fixture
def hang() -> Any:
    """A call that does not come back until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


def with_thread(scenario: Scenario, inference_timeout_seconds: float = 30.0) -> list[str]:
    """Run a scenario; answer whether the thread was given up, and how often."""
    told: list[str] = []

    async def run() -> None:
        threads = InferenceThreadPool(1, inference_timeout_seconds, lambda: told.append("given up"))
        await scenario(threads)
        threads.close()

    asyncio.run(run())
    return told


def test_calls_run_on_one_thread_of_their_own() -> None:
    async def scenario(threads: InferenceThreadPool) -> None:
        found = [await threads.run(threading.get_ident) for _ in range(3)]
        assert len(set(found)) == 1
        assert found[0] != threading.get_ident()

    assert with_thread(scenario) == []


def test_several_calls_run_at_the_same_time() -> None:
    async def run() -> None:
        threads, together = InferenceThreadPool(2, 30.0, lambda: None), threading.Barrier(2)

        def meet() -> int:
            together.wait(10)
            return threading.get_ident()

        found = await asyncio.gather(threads.run(meet), threads.run(meet))
        assert len(set(found)) == 2
        threads.close()

    asyncio.run(run())


def test_threads_that_hang_are_the_end_whatever_others_answer(hang: Any) -> None:
    told: list[str] = []

    async def run() -> None:
        lost: list[int] = []
        threads = InferenceThreadPool(
            2,
            0.02,
            lambda: told.append("given up"),
            lambda: lost.append(threads.consecutive_timeouts),
        )
        for loss in range(9):
            assert not threads.fatal
            assert len(lost) == loss
            with pytest.raises(InferenceTimeoutError):
                await threads.run(hang)
            if loss < 8:
                assert await threads.run(lambda: 1) == 1
        assert threads.fatal
        threads.close()

    asyncio.run(run())
    assert told == ["given up"]


def test_calls_that_are_lost_together_are_one_loss(hang: Any) -> None:
    told: list[str] = []

    async def run() -> None:
        threads = InferenceThreadPool(2, 0.05, lambda: told.append("given up"))

        async def lose_both() -> None:
            pair = [threads.run(hang), threads.run(hang)]
            lost = await asyncio.gather(*pair, return_exceptions=True)
            assert all(isinstance(error, InferenceTimeoutError) for error in lost)

        await lose_both()
        assert threads.consecutive_timeouts == 1
        assert await threads.run(lambda: 1) == 1
        assert threads.consecutive_timeouts == 0
        for loss in range(4):
            assert threads.consecutive_timeouts == loss
            await lose_both()
        assert threads.fatal
        threads.close()

    asyncio.run(run())
    assert told == ["given up"]


@pytest.mark.parametrize("error", [KeyError("mine"), StopIteration(), SystemExit(1)])
def test_a_call_that_fails_leaves_the_thread_as_it_was(error: BaseException) -> None:
    def broken() -> None:
        raise error

    async def scenario(threads: InferenceThreadPool) -> None:
        before = await threads.run(threading.get_ident)
        with pytest.raises((KeyError, RuntimeError)):
            await threads.run(broken)
        assert await threads.run(threading.get_ident) == before
        assert threads.consecutive_timeouts == 0

    assert with_thread(scenario) == []


def test_a_call_that_hangs_is_lost_and_the_next_has_a_new_thread(hang: Any) -> None:
    async def scenario(threads: InferenceThreadPool) -> None:
        before = await threads.run(threading.get_ident)
        with pytest.raises(InferenceTimeoutError, match=r"within 0\.05 seconds"):
            await threads.run(hang)
        assert threads.consecutive_timeouts == 1
        assert await threads.run(threading.get_ident) != before
        assert threads.consecutive_timeouts == 0

    assert with_thread(scenario, 0.05) == []


def test_the_fourth_loss_is_the_last(hang: Any) -> None:
    async def scenario(threads: InferenceThreadPool) -> None:
        for loss in range(4):
            assert threads.consecutive_timeouts == loss
            with pytest.raises(InferenceTimeoutError):
                await threads.run(hang)
        assert threads.fatal
        with pytest.raises(InferenceTimeoutError, match="for good"):
            await threads.run(threading.get_ident)

    assert with_thread(scenario, 0.05) == ["given up"]


def test_a_lost_device_is_the_end_at_once() -> None:
    def broken() -> None:
        raise DeviceLostError("the device is lost")

    async def scenario(threads: InferenceThreadPool) -> None:
        with pytest.raises(DeviceLostError):
            await threads.run(broken)
        assert threads.fatal
        assert threads.has_hung_threads  # what the device left would trouble the interpreter's end
        with pytest.raises(InferenceTimeoutError, match="for good"):
            await threads.run(threading.get_ident)

    assert with_thread(scenario) == ["given up"]


def test_loading_may_take_its_time() -> None:
    async def scenario(threads: InferenceThreadPool) -> None:
        wait = threading.Event()
        assert await threads.run(lambda: wait.wait(0.3), limited=False) is False
        assert threads.consecutive_timeouts == 0

    assert with_thread(scenario, 0.05) == []
