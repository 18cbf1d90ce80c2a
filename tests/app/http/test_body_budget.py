import asyncio

import pytest

from app.http.body_budget import ClientDisconnectedError, DeadlineError, held


async def for_ever() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    return None


def test_work_that_is_done_in_time_is_answered() -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    assert asyncio.run(held(work(), for_ever(), 10)) == 7


def test_work_that_fails_fails_as_it_did() -> None:
    async def work() -> int:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(held(work(), for_ever(), 10))


@pytest.mark.parametrize("reason", [DeadlineError, ClientDisconnectedError])
def test_work_that_is_no_longer_wanted_is_cancelled(reason: type[Exception]) -> None:
    cancelled = []

    async def work() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    departure = for_ever() if reason is DeadlineError else at_once()
    with pytest.raises(reason):
        asyncio.run(held(work(), departure, 0.05))
    assert cancelled == [True]


def test_who_is_cancelled_takes_the_work_along() -> None:
    async def scenario() -> None:
        work = asyncio.ensure_future(for_ever())
        holding = asyncio.create_task(held(_awaiting(work), for_ever(), 10))
        await asyncio.sleep(0.01)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        assert work.cancelled()

    asyncio.run(scenario())


async def _awaiting(task: asyncio.Future[None]) -> None:
    await task
