import asyncio
from contextlib import aclosing

import pytest

from app.inference.batcher import MAX_GROUP, Batcher
from app.inference.errors import QueueFullError
from app.observability.timing import Timing
from tests.app.inference.batches import BlockingDouble, until, with_batcher


def test_results_come_in_order_and_groups_grow() -> None:
    work = BlockingDouble()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        timing = Timing()
        async with aclosing(batcher.stream(range(30), timing)) as stream:
            assert [result async for result in stream] == [2 * i for i in range(30)]
        assert [len(batch) for batch in work.batches] == [1, 2, 4, MAX_GROUP, MAX_GROUP, 7]
        assert [span.name for span in timing.spans].count("batch") == 6
        assert timing.model > 0

    with_batcher(work, scenario, max_batch=64, max_queue=64)


def test_the_first_group_may_be_larger() -> None:
    work = BlockingDouble()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        async with aclosing(batcher.stream(range(8), first=4)) as stream:
            assert [result async for result in stream] == [2 * i for i in range(8)]
        assert [len(batch) for batch in work.batches] == [4, 2, 2]

    with_batcher(work, scenario)


def test_a_slow_caller_holds_two_groups() -> None:
    work = BlockingDouble()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        async with aclosing(batcher.stream(range(20))) as stream:
            assert await anext(stream) == 0
            await until(lambda: len(work.batches) == 2)
            for _ in range(10):
                await asyncio.sleep(0.001)
            assert work.batches == [[0], [1, 2]]
            assert await anext(stream) == 2

    with_batcher(work, scenario)


def test_a_stream_is_refused_at_its_beginning_or_never() -> None:
    work = BlockingDouble()

    async def scenario(batcher: Batcher[int, int]) -> None:
        running = asyncio.create_task(batcher.run([100]))
        await until(lambda: bool(work.batches))
        stream = batcher.stream(range(4))
        first = asyncio.create_task(anext(stream))
        await until(lambda: batcher.waiting == 1)
        others = asyncio.create_task(batcher.run([101, 102, 103]))
        await until(lambda: batcher.waiting == 4)
        with pytest.raises(QueueFullError):
            await anext(batcher.stream([5]))
        work.open.set()
        assert await first == 0
        assert [result async for result in stream] == [2, 4, 6]
        assert await running == [200]
        assert await others == [202, 204, 206]

    with_batcher(work, scenario, max_queue=4)


def test_a_stream_that_is_closed_leaves_the_queue() -> None:
    work = BlockingDouble()

    async def scenario(batcher: Batcher[int, int]) -> None:
        running = asyncio.create_task(batcher.run([100]))
        await until(lambda: bool(work.batches))
        waiting = asyncio.create_task(anext(batcher.stream(range(4))))
        await until(lambda: batcher.waiting == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert batcher.waiting == 0
        work.open.set()
        assert await running == [200]
        assert work.batches == [[100]]

    with_batcher(work, scenario)


def test_an_error_ends_a_stream_at_its_item() -> None:
    work = BlockingDouble()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        stream = batcher.stream([7, 8, -1, 9])
        assert [await anext(stream), await anext(stream)] == [14, 16]
        with pytest.raises(ValueError, match="minus one"):
            await anext(stream)
        assert await batcher.run([3]) == [6]

    with_batcher(work, scenario)
