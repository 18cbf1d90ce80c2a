import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator

import pytest

from app.inference import image_pool
from app.inference.errors import OutOfMemoryError, QueueFullError, ShuttingDownError
from app.inference.image_pool import ImagePool

MAX_QUEUE = 8


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets ``blocking`` jobs return; set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


def with_pool(scenario: Callable[[ImagePool], Awaitable[None]], threads: int = 1) -> None:
    async def run() -> None:
        pool = ImagePool(threads, MAX_QUEUE)
        try:
            await scenario(pool)
        finally:
            await asyncio.to_thread(pool.close)

    asyncio.run(run())


async def occupy(pool: ImagePool, release: threading.Event) -> asyncio.Task[bool]:
    """A job that blocks the only thread of a pool until ``release`` is set."""
    started = threading.Event()

    def block() -> bool:
        started.set()
        return release.wait(10)

    task = asyncio.create_task(pool.run(block))
    assert await asyncio.to_thread(started.wait, 10)
    return task


def test_results_are_in_the_order_of_the_items() -> None:
    def slowest_first(item: int) -> int:
        time.sleep(0.001 * (MAX_QUEUE - item))
        return 10 * item

    async def scenario(pool: ImagePool) -> None:
        assert await pool.map(slowest_first, range(MAX_QUEUE)) == [10 * i for i in range(MAX_QUEUE)]
        assert await pool.map(slowest_first, range(3), serial=True) == [0, 10, 20]
        assert await pool.map(slowest_first, []) == []
        assert await pool.run(lambda: "one") == "one"

    with_pool(scenario, threads=3)


def test_work_runs_off_the_event_loop_on_all_threads() -> None:
    barrier = threading.Barrier(3)

    def meet(_: int) -> int:
        barrier.wait(10)
        return threading.get_ident()

    async def scenario(pool: ImagePool) -> None:
        threads = await pool.map(meet, range(3))
        assert len(set(threads)) == 3
        assert threading.get_ident() not in threads

    with_pool(scenario, threads=3)


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


def test_serial_items_run_one_at_a_time_and_the_heap_is_trimmed_after_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []
    monkeypatch.setattr(image_pool, "trim_heap", lambda: events.append("trim"))
    running = threading.Semaphore(1)

    def work(_: int) -> None:
        assert running.acquire(blocking=False)
        time.sleep(0.002)
        events.append("work")
        running.release()

    async def scenario(pool: ImagePool) -> None:
        requests = (pool.map(work, range(3), serial=True) for _ in range(2))
        await asyncio.gather(*requests)
        assert await pool.run(lambda: 1) == 1

    with_pool(scenario, threads=3)
    assert events == ["work", "trim"] * 6


def test_too_little_memory_is_reported_as_such() -> None:
    def work() -> None:
        raise MemoryError

    async def scenario(pool: ImagePool) -> None:
        with pytest.raises(OutOfMemoryError, match="no memory"):
            await pool.run(work)

    with_pool(scenario)


@pytest.mark.parametrize("error", [StopIteration(), SystemExit(1)])
def test_an_error_that_no_future_accepts_is_reported(error: BaseException) -> None:
    def work() -> None:
        raise error

    async def scenario(pool: ImagePool) -> None:
        with pytest.raises(RuntimeError, match="the job raised"):
            await pool.run(work)
        assert await pool.run(lambda: 1) == 1

    with_pool(scenario)


def test_an_idle_thread_keeps_nothing_alive() -> None:
    class Item:
        pass

    async def scenario(pool: ImagePool) -> None:
        item = Item()
        watched = weakref.ref(item)
        await pool.map(lambda item: item, [item])
        del item
        deadline = time.monotonic() + 10
        while watched() is not None:
            gc.collect()
            await asyncio.sleep(0.001)
            assert time.monotonic() < deadline

    with_pool(scenario)


def test_close_finishes_what_was_queued_and_refuses_more() -> None:
    done: list[int] = []

    async def run() -> None:
        pool = ImagePool(1, MAX_QUEUE)
        task = asyncio.create_task(pool.map(done.append, range(MAX_QUEUE)))
        await asyncio.sleep(0)
        await asyncio.to_thread(pool.close)
        await task
        for refused in (pool.run(lambda: None), pool.map(done.append, [100])):
            with pytest.raises(ShuttingDownError):
                await refused

    asyncio.run(run())
    assert done == list(range(MAX_QUEUE))
