import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.inference.errors import DeviceLostError, InferenceTimeoutError
from app.inference.thread_pool import InferenceThreadPool

Scenario = Callable[[InferenceThreadPool], Coroutine[Any, Any, None]]


@pytest.fixture
def hang() -> Any:
    """A job that does not return until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


def with_thread(scenario: Scenario, inference_timeout_seconds: float = 30.0) -> list[str]:
    """Run a scenario; the calls of ``on_fatal``."""
    reports: list[str] = []

    async def run() -> None:
        threads = InferenceThreadPool(1, inference_timeout_seconds, lambda: reports.append("fatal"))
        await scenario(threads)
        threads.close()

    asyncio.run(run())
    return reports


def test_jobs_run_on_a_thread_of_their_own() -> None:
    async def scenario(threads: InferenceThreadPool) -> None:
        threads_used = [await threads.run(threading.get_ident) for _ in range(3)]
        assert len(set(threads_used)) == 1
        assert threads_used[0] != threading.get_ident()

    assert with_thread(scenario) == []


def test_jobs_run_at_the_same_time() -> None:
    async def run() -> None:
        threads, together = InferenceThreadPool(2, 30.0, lambda: None), threading.Barrier(2)

        def meet() -> int:
            together.wait(10)
            return threading.get_ident()

        threads_used = await asyncio.gather(threads.run(meet), threads.run(meet))
        assert len(set(threads_used)) == 2
        threads.close()

    asyncio.run(run())


def test_too_many_hung_threads_are_fatal_whatever_others_return(hang: Any) -> None:
    reports: list[str] = []

    async def run() -> None:
        timeouts: list[int] = []
        threads = InferenceThreadPool(
            2,
            0.02,
            lambda: reports.append("fatal"),
            lambda: timeouts.append(threads.consecutive_timeouts),
        )
        for number in range(9):
            assert not threads.fatal
            assert len(timeouts) == number
            with pytest.raises(InferenceTimeoutError):
                await threads.run(hang)
            if number < 8:
                assert await threads.run(lambda: 1) == 1
        assert threads.fatal
        threads.close()

    asyncio.run(run())
    assert reports == ["fatal"]


def test_jobs_that_time_out_together_count_once(hang: Any) -> None:
    reports: list[str] = []

    async def run() -> None:
        threads = InferenceThreadPool(2, 0.05, lambda: reports.append("fatal"))

        async def time_out_both() -> None:
            pair = [threads.run(hang), threads.run(hang)]
            errors = await asyncio.gather(*pair, return_exceptions=True)
            assert all(isinstance(error, InferenceTimeoutError) for error in errors)

        await time_out_both()
        assert threads.consecutive_timeouts == 1
        assert await threads.run(lambda: 1) == 1
        assert threads.consecutive_timeouts == 0
        for number in range(4):
            assert threads.consecutive_timeouts == number
            await time_out_both()
        assert threads.fatal
        threads.close()

    asyncio.run(run())
    assert reports == ["fatal"]


@pytest.mark.parametrize("error", [KeyError("mine"), StopIteration(), SystemExit(1)])
def test_a_job_that_fails_keeps_its_thread(error: BaseException) -> None:
    def broken() -> None:
        raise error

    async def scenario(threads: InferenceThreadPool) -> None:
        before = await threads.run(threading.get_ident)
        with pytest.raises((KeyError, RuntimeError)):
            await threads.run(broken)
        assert await threads.run(threading.get_ident) == before
        assert threads.consecutive_timeouts == 0

    assert with_thread(scenario) == []


def test_a_job_that_hangs_times_out_and_its_thread_is_replaced(hang: Any) -> None:
    async def scenario(threads: InferenceThreadPool) -> None:
        before = await threads.run(threading.get_ident)
        with pytest.raises(InferenceTimeoutError, match=r"within 0\.05 s"):
            await threads.run(hang)
        assert threads.consecutive_timeouts == 1
        assert await threads.run(threading.get_ident) != before
        assert threads.consecutive_timeouts == 0

    assert with_thread(scenario, 0.05) == []


def test_the_fourth_timeout_in_a_row_is_fatal(hang: Any) -> None:
    async def scenario(threads: InferenceThreadPool) -> None:
        for number in range(4):
            assert threads.consecutive_timeouts == number
            with pytest.raises(InferenceTimeoutError):
                await threads.run(hang)
        assert threads.fatal
        with pytest.raises(InferenceTimeoutError, match="for good"):
            await threads.run(threading.get_ident)

    assert with_thread(scenario, 0.05) == ["fatal"]


def test_a_lost_device_is_fatal_at_once() -> None:
    def broken() -> None:
        raise DeviceLostError("the device is lost")

    async def scenario(threads: InferenceThreadPool) -> None:
        with pytest.raises(DeviceLostError):
            await threads.run(broken)
        assert threads.fatal
        assert threads.has_hung_threads  # the interpreter could not exit cleanly
        with pytest.raises(InferenceTimeoutError, match="for good"):
            await threads.run(threading.get_ident)

    assert with_thread(scenario) == ["fatal"]


def test_an_unlimited_job_does_not_time_out() -> None:
    async def scenario(threads: InferenceThreadPool) -> None:
        wait = threading.Event()
        assert await threads.run(lambda: wait.wait(0.3), limited=False) is False
        assert threads.consecutive_timeouts == 0

    assert with_thread(scenario, 0.05) == []
