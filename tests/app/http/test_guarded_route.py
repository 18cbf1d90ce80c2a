import asyncio

import pytest

from app.http import guarded_route
from app.http.guarded_route import ClientDisconnectedError, DeadlineError, run_until_deadline


async def never() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    return None


def test_work_that_is_done_in_time_gives_its_result() -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    assert asyncio.run(run_until_deadline(work(), 10, never)) == 7


@pytest.mark.parametrize("error", [KeyError("mine"), TimeoutError("mine")])
def test_work_that_fails_fails_as_it_did(error: Exception) -> None:
    async def work() -> int:
        raise error

    with pytest.raises(type(error), match="mine"):
        asyncio.run(run_until_deadline(work(), 10, never))


@pytest.mark.parametrize("reason", [DeadlineError, ClientDisconnectedError])
def test_work_that_nobody_waits_for_is_cancelled(reason: type[Exception]) -> None:
    cancelled = []

    async def work() -> None:
        try:
            await never()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    seconds, disconnect = (0.02, never) if reason is DeadlineError else (10.0, at_once)
    with pytest.raises(reason):
        asyncio.run(run_until_deadline(work(), seconds, disconnect))
    assert cancelled == [True]


def test_a_disconnect_while_the_deadline_cancels_is_a_missed_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guarded_route, "WATCH_AFTER_SECONDS", 0.0)

    async def work() -> None:
        try:
            await never()
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            raise

    async def later() -> None:
        await asyncio.sleep(0.03)

    with pytest.raises(DeadlineError):
        asyncio.run(run_until_deadline(work(), 0.01, later))


def test_a_cancelled_caller_cancels_its_work() -> None:
    async def scenario() -> None:
        work = asyncio.ensure_future(never())
        running = asyncio.create_task(run_until_deadline(work, 10, never))
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert work.cancelled()

    asyncio.run(scenario())


def test_a_quick_request_has_no_task_but_its_own() -> None:
    async def scenario() -> set[asyncio.Task[object]]:
        async def work() -> set[asyncio.Task[object]]:
            await asyncio.sleep(0)
            return asyncio.all_tasks()

        return await run_until_deadline(work(), 10, never)

    assert len(asyncio.run(scenario())) == 1
