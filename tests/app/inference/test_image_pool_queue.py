import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from app.inference.errors import QueueFullError
from app.inference.image_pool import ImagePool
from tests.app.inference.pools import MAX_QUEUE, with_pool


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets ``blocking`` jobs return; set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


async def occupy(pool: ImagePool, release: threading.Event) -> asyncio.Task[bool]:
    """A job that blocks the only thread of a pool until ``release`` is set."""
    started = threading.Event()

    def block() -> bool:
        started.set()
        return release.wait(10)

    task = asyncio.create_task(pool.run(block))
    assert await asyncio.to_thread(started.wait, 10)
    return task


def test_a_large_request_does_not_delay_a_later_small_one(release: threading.Event) -> None:
    done: list[int] = []

    async def scenario(pool: ImagePool) -> None:
        blocked = await occupy(pool, release)
        large = asyncio.create_task(pool.map(done.append, range(MAX_QUEUE)))
        await asyncio.sleep(0)
        small = [asyncio.create_task(pool.run(lambda: len(done))) for _ in range(3)]
        await asyncio.sleep(0)
        release.set()
        assert await asyncio.gather(*small) == [0, 0, 0]
        await large
        assert done == list(range(MAX_QUEUE))
        assert await blocked

    with_pool(scenario)


def test_small_requests_do_not_starve_a_large_one() -> None:
    async def scenario(pool: ImagePool) -> None:
        large = asyncio.create_task(pool.map(lambda _: time.sleep(0.001), range(MAX_QUEUE)))
        overtaken = 0
        while not large.done():
            await pool.run(lambda: time.sleep(0.001))
            overtaken += 1
        assert overtaken <= 3 * MAX_QUEUE

    with_pool(scenario)


def test_a_full_queue_accepts_all_items_of_a_request_or_none(release: threading.Event) -> None:
    done: list[int] = []

    async def scenario(pool: ImagePool) -> None:
        blocked = await occupy(pool, release)
        accepted = asyncio.create_task(pool.map(done.append, range(5)))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError, match="5 images are waiting; the queue holds 8") as full:
            await pool.map(done.append, range(100, 104))
        assert full.value.retry_after >= 1
        fits = asyncio.create_task(pool.map(done.append, range(5, 8)))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await pool.map(done.append, [100])
        release.set()
        await asyncio.gather(blocked, accepted, fits)
        assert sorted(done) == list(range(8))

    with_pool(scenario)


def test_a_queue_full_of_uploads_accepts_responses(release: threading.Event) -> None:
    async def scenario(pool: ImagePool) -> None:
        blocked = await occupy(pool, release)
        uploads = asyncio.create_task(pool.map(lambda item: item, range(MAX_QUEUE)))
        await asyncio.sleep(0)
        responses = [asyncio.create_task(pool.run(lambda: "png")) for _ in range(MAX_QUEUE)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError, match="16 images are waiting; the queue holds 16"):
            await pool.run(lambda: "png")
        release.set()
        assert await asyncio.gather(*responses) == ["png"] * MAX_QUEUE
        await asyncio.gather(blocked, uploads)

    with_pool(scenario)


def test_retry_after_grows_with_the_queue(release: threading.Event) -> None:
    async def scenario(pool: ImagePool) -> None:
        await pool.run(lambda: time.sleep(3))  # average: 0.02 + 0.1 * (3 - 0.02) seconds
        blocked = await occupy(pool, release)
        waiting = asyncio.create_task(pool.map(lambda item: item, range(MAX_QUEUE)))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError) as full:
            await pool.map(lambda item: item, [1])
        assert 2 <= full.value.retry_after <= 10
        release.set()
        await asyncio.gather(blocked, waiting)

    with_pool(scenario)


@pytest.mark.parametrize("serial", [False, True])
def test_a_cancelled_request_leaves_the_queue_and_is_freed(
    release: threading.Event, serial: bool
) -> None:
    class Item:
        pass

    started = threading.Event()
    done: list[object] = []

    def work(item: Item) -> None:
        done.append(None)
        started.set()
        assert release.wait(10)

    async def scenario(pool: ImagePool) -> None:
        items = [Item() for _ in range(6)]
        waiting = weakref.ref(items[-1])
        cancelled = asyncio.create_task(pool.map(work, items, serial=serial))
        assert await asyncio.to_thread(started.wait, 10)
        del items
        cancelled.cancel()
        await asyncio.wait({cancelled})
        del cancelled
        gc.collect()
        assert waiting() is None
        room = pool.map(lambda _: None, range(MAX_QUEUE), serial=serial)
        kept = asyncio.create_task(room)
        await asyncio.sleep(0)
        release.set()
        await kept
        assert len(done) == 1

    with_pool(scenario)


def test_an_item_that_fails_drops_the_waiting_rest_of_its_request(
    release: threading.Event,
) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        if item == 1:
            raise ValueError("item 1")

    async def scenario(pool: ImagePool) -> None:
        blocked = await occupy(pool, release)
        failing = asyncio.create_task(pool.map(work, range(3)))
        await asyncio.sleep(0)
        kept = asyncio.create_task(pool.map(time.sleep, [0.05] * 4))
        release.set()
        with pytest.raises(ValueError, match="item 1"):
            await failing
        assert await kept == [None] * 4
        assert await blocked
        assert await pool.run(lambda: 1) == 1  # the threads go on

    with_pool(scenario)
    assert done in ([0, 1], [0, 1, 2])  # the event loop may learn of the failure too late


def test_no_items_need_no_room_in_the_queue(release: threading.Event) -> None:
    async def scenario(pool: ImagePool) -> None:
        blocked = await occupy(pool, release)
        waiting = [asyncio.create_task(pool.run(lambda: 1)) for _ in range(2 * MAX_QUEUE)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await pool.map(str, [1])
        assert await pool.map(str, list[int]()) == []
        release.set()
        await asyncio.gather(blocked, *waiting)

    with_pool(scenario)
