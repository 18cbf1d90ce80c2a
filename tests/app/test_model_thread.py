import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.batcher import DeviceLostError, LostError
from app.model_thread import ModelThread

Scenario = Callable[[ModelThread], Coroutine[Any, Any, None]]


@pytest.fixture
def hang() -> Any:
    """A call that does not come back until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


def with_thread(scenario: Scenario, hang_seconds: float = 30.0) -> list[str]:
    """Run a scenario; answer whether the thread was given up, and how often."""
    told: list[str] = []

    async def run() -> None:
        thread = ModelThread(hang_seconds, lambda: told.append("given up"))
        await scenario(thread)
        thread.close()

    asyncio.run(run())
    return told


def test_calls_run_on_one_thread_of_their_own() -> None:
    async def scenario(thread: ModelThread) -> None:
        found = [await thread.run(threading.get_ident) for _ in range(3)]
        assert len(set(found)) == 1
        assert found[0] != threading.get_ident()

    assert with_thread(scenario) == []


@pytest.mark.parametrize("error", [KeyError("mine"), StopIteration(), SystemExit(1)])
def test_a_call_that_fails_leaves_the_thread_as_it_was(error: BaseException) -> None:
    def broken() -> None:
        raise error

    async def scenario(thread: ModelThread) -> None:
        before = await thread.run(threading.get_ident)
        with pytest.raises((KeyError, RuntimeError)):
            await thread.run(broken)
        assert await thread.run(threading.get_ident) == before
        assert thread.losses == 0

    assert with_thread(scenario) == []


def test_a_call_that_hangs_is_lost_and_the_next_has_a_new_thread(hang: Any) -> None:
    async def scenario(thread: ModelThread) -> None:
        before = await thread.run(threading.get_ident)
        with pytest.raises(LostError, match=r"within 0\.05 seconds"):
            await thread.run(hang)
        assert thread.losses == 1
        assert await thread.run(threading.get_ident) != before
        assert thread.losses == 0

    assert with_thread(scenario, 0.05) == []


def test_the_fourth_loss_is_the_last(hang: Any) -> None:
    async def scenario(thread: ModelThread) -> None:
        for loss in range(4):
            assert thread.losses == loss
            with pytest.raises(LostError):
                await thread.run(hang)
        assert thread.given_up
        with pytest.raises(LostError, match="for good"):
            await thread.run(threading.get_ident)

    assert with_thread(scenario, 0.05) == ["given up"]


def test_a_lost_device_is_the_end_at_once() -> None:
    def broken() -> None:
        raise DeviceLostError("the device is lost")

    async def scenario(thread: ModelThread) -> None:
        with pytest.raises(DeviceLostError):
            await thread.run(broken)
        assert thread.given_up
        assert thread.abandoned  # what the device left would trouble the interpreter's end
        with pytest.raises(LostError, match="for good"):
            await thread.run(threading.get_ident)

    assert with_thread(scenario) == ["given up"]


def test_loading_may_take_its_time() -> None:
    async def scenario(thread: ModelThread) -> None:
        wait = threading.Event()
        assert await thread.run(lambda: wait.wait(0.3), limited=False) is False
        assert thread.losses == 0

    assert with_thread(scenario, 0.05) == []
