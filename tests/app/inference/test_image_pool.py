import asyncio
import gc
import threading
import time
import weakref

import pytest

from app.inference import image_pool
from app.inference.errors import OutOfMemoryError, ShuttingDownError
from app.inference.image_pool import ImagePool
from tests.app.inference.pools import MAX_QUEUE, with_pool


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
