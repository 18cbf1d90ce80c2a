import asyncio
import gc
import time
import weakref

import pytest

from app.inference.batcher import Batcher
from app.inference.errors import QueueFullError, ShuttingDownError
from app.inference.limiter import CapacityLimiter
from app.observability.timing import Timing
from tests.app.inference.batches import BlockingDouble, until, with_batcher


def test_requests_that_arrive_while_the_model_is_busy_run_together() -> None:
    work = BlockingDouble()

    async def scenario(batcher: Batcher[int, int]) -> None:
        first = asyncio.create_task(batcher.run([1]))
        await until(lambda: len(work.batches) == 1)  # idle: it ran at once, alone
        rest = [asyncio.create_task(batcher.run([i, i + 1])) for i in (2, 4, 6)]
        await asyncio.sleep(0)
        work.open.set()
        assert await first == [2]
        assert await asyncio.gather(*rest) == [[4, 6], [8, 10], [12, 14]]
        assert work.batches == [[1], [2, 3, 4, 5], [6, 7]]

    with_batcher(work, scenario)


def test_a_full_queue_accepts_all_items_of_a_request_or_none() -> None:
    work = BlockingDouble()

    async def scenario(batcher: Batcher[int, int]) -> None:
        running = asyncio.create_task(batcher.run([0]))
        await until(lambda: len(work.batches) == 1)
        waiting = asyncio.create_task(batcher.run([1, 2, 3, 4, 5]))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError, match="5 images are waiting") as refused:
            await batcher.run([6, 7, 8, 9])
        assert refused.value.retry_after >= 1
        last = asyncio.create_task(batcher.run([6, 7, 8]))
        await asyncio.sleep(0)
        work.open.set()
        assert await running == [0]
        assert await waiting == [2, 4, 6, 8, 10]
        assert await last == [12, 14, 16]

    with_batcher(work, scenario)


def test_one_request_of_many_batches_keeps_its_order() -> None:
    work = BlockingDouble()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        assert await batcher.run(range(8)) == [2 * i for i in range(8)]
        assert [len(batch) for batch in work.batches] == [4, 4]
        assert await batcher.run([]) == []
        with pytest.raises(QueueFullError, match="0 images are waiting; the queue holds 8"):
            await batcher.run(range(9))
        assert await batcher.run([9]) == [18]  # it cancelled on

    with_batcher(work, scenario)


def test_retry_after_grows_with_the_queue() -> None:
    def work(items: list[int]) -> list[int]:
        time.sleep(0.5)
        return items

    async def scenario(batcher: Batcher[int, int]) -> None:
        await batcher.run([0])  # it has measured how slow the work is: 0.02 + 0.1 * (0.5 - 0.02) s
        waiting = asyncio.create_task(batcher.run(range(40)))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError) as refused:
            await batcher.run([0])
        assert 2 <= refused.value.retry_after <= 10
        waiting.cancel()

    with_batcher(work, scenario, max_batch=40, max_queue=40)


def test_a_cancelled_request_leaves_the_queue() -> None:
    work = BlockingDouble()

    async def scenario(batcher: Batcher[int, int]) -> None:
        running = asyncio.create_task(batcher.run([0]))
        await until(lambda: len(work.batches) == 1)
        cancelled = asyncio.create_task(batcher.run([1, 2, 3]))
        kept = asyncio.create_task(batcher.run([4]))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
        fits = asyncio.create_task(batcher.run(range(5, 12)))
        await asyncio.sleep(0)
        work.open.set()
        await asyncio.gather(running, kept, fits)
        assert [item for batch in work.batches for item in batch] == [0, *range(4, 12)]

    with_batcher(work, scenario)


def test_a_request_cancelled_while_it_runs_does_not_affect_others() -> None:
    work = BlockingDouble()

    async def scenario(batcher: Batcher[int, int]) -> None:
        first = asyncio.create_task(batcher.run([0]))
        await until(lambda: len(work.batches) == 1)
        cancelled = asyncio.create_task(batcher.run([1]))
        kept = asyncio.create_task(batcher.run([2]))
        first.cancel()
        work.open.set()
        await until(lambda: len(work.batches) == 2)
        cancelled.cancel()
        assert await kept == [4]
        assert await batcher.run([3]) == [6]

    with_batcher(work, scenario)


def test_closing_when_idle_ends_at_once() -> None:
    async def scenario(batcher: Batcher[int, int]) -> None:
        await batcher.close()
        await batcher.close()
        with pytest.raises(ShuttingDownError):
            await batcher.run([1])

    with_batcher(lambda items: items, scenario)


def test_close_finishes_accepted_items_and_refuses_others() -> None:
    work = BlockingDouble()

    async def scenario(batcher: Batcher[int, int]) -> None:
        accepted = asyncio.create_task(batcher.run(range(6)))  # of which two wait
        await until(lambda: len(work.batches) == 1)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDownError):
            await batcher.run([3])
        work.open.set()
        await closing
        assert await accepted == [0, 2, 4, 6, 8, 10]

    with_batcher(work, scenario)


def test_the_timing_of_a_divided_request_is_that_of_its_longest_part() -> None:
    async def run() -> None:
        async def work(items: list[int]) -> list[int]:
            await asyncio.sleep(0.15 if 0 in items else 0.01)
            return items

        timing = Timing()
        await Batcher(work, CapacityLimiter(2), 16, 100).run([0, 1, 2, 3], timing)
        assert timing.model >= 0.14

    asyncio.run(run())


def test_timing_separates_queue_from_model() -> None:
    def work(items: list[int]) -> list[int]:
        time.sleep(0.05)
        return items

    async def scenario(batcher: Batcher[int, int]) -> None:
        first, second = Timing(), Timing()
        one = asyncio.create_task(batcher.run([1], first))
        await asyncio.sleep(0.01)
        await asyncio.gather(one, batcher.run([2], second))
        assert first.queue < second.queue
        assert min(first.model, second.model) >= 0.05

    with_batcher(work, scenario)


def test_items_of_a_cancelled_request_are_freed() -> None:
    class Item:
        pass

    async def scenario() -> None:
        limiter = CapacityLimiter()

        async def work(items: list[Item]) -> list[int]:
            return [0] * len(items)

        batcher = Batcher(work, limiter, 4, 8)
        async with limiter.call(lambda: 1):  # so that nothing is run
            item = Item()
            watched = weakref.ref(item)
            cancelled = asyncio.ensure_future(batcher.run([item]))
            kept = asyncio.ensure_future(batcher.run([Item(), Item()]))
            await asyncio.sleep(0)
            assert batcher.waiting == 3
            cancelled.cancel()
            await asyncio.wait({cancelled})
            assert batcher.waiting == 2
            del item, cancelled
            gc.collect()
            assert watched() is None
        assert await kept == [0, 0]

    asyncio.run(scenario())
