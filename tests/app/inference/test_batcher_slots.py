import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.inference.batcher import Batcher
from app.inference.limiter import CapacityLimiter
from tests.app.inference.batches import threaded, until


def test_batchers_with_one_limiter_take_turns() -> None:
    busy = threading.Lock()
    sizes: list[int] = []
    overlaps = 0

    def work(items: list[int]) -> list[int]:
        nonlocal overlaps
        if not busy.acquire(blocking=False):
            overlaps += 1
            return items
        sizes.append(len(items))
        time.sleep(0.001)
        busy.release()
        return items

    async def run() -> None:
        with ThreadPoolExecutor(4) as executor:
            limiter = CapacityLimiter()
            on_thread = threaded(work, executor)
            pair = [Batcher[int, int](on_thread, limiter, 2, 100) for _ in range(2)]
            results = await asyncio.gather(*(pair[i % 2].run([i, i]) for i in range(40)))
            assert results == [[i, i] for i in range(40)]

    asyncio.run(run())
    assert overlaps == 0
    assert sum(sizes) == 80


def batches_with_slots(slots: int, max_batch: int, requests: list[int]) -> list[tuple[int, bool]]:
    """Size of each batch and whether it was exclusive, for simultaneous requests."""
    begun: list[tuple[int, bool]] = []

    async def run() -> None:
        limiter, running, max_running = CapacityLimiter(slots), 0, 0

        async def work(items: list[int]) -> list[int]:
            nonlocal running, max_running
            begun.append((len(items), limiter.exclusive))
            running += slots if limiter.exclusive else 1
            max_running = max(max_running, running)
            await asyncio.sleep(0.005)
            running -= slots if limiter.exclusive else 1
            return items

        batcher = Batcher(work, limiter, max_batch, 1000)
        results = await asyncio.gather(*(batcher.run([i] * n) for i, n in enumerate(requests)))
        assert results == [[i] * n for i, n in enumerate(requests)]
        assert max_running == min(slots, len(begun)) or any(exclusive for _, exclusive in begun)
        assert max_running <= slots
        await batcher.run([0])
        assert begun.pop() == (1, slots > 1)

    asyncio.run(run())
    return begun


def test_waiting_items_are_divided_among_the_slots() -> None:
    assert batches_with_slots(2, 16, [16]) == [(8, False), (8, False)]
    assert batches_with_slots(4, 16, [1] * 6) == [(2, False), (2, False), (1, False), (1, False)]
    assert batches_with_slots(2, 4, [16]) == [(4, False)] * 4
    assert batches_with_slots(1, 16, [20]) == [(16, False), (4, False)]


def test_fewer_items_than_slots_run_exclusively() -> None:
    assert batches_with_slots(2, 16, [1]) == [(1, True)]
    assert batches_with_slots(4, 16, [3]) == [(3, True)]
    assert batches_with_slots(2, 16, [2]) == [(1, False), (1, False)]


def test_a_request_that_arrives_meanwhile_gets_the_next_free_slot() -> None:
    async def run() -> None:
        limiter, open_ = CapacityLimiter(2), [asyncio.Event() for _ in range(4)]
        begun: list[list[int]] = []

        async def work(items: list[int]) -> list[int]:
            begun.append(items)
            await open_[len(begun) - 1].wait()
            return items

        batcher = Batcher(work, limiter, 16, 100)
        first = asyncio.ensure_future(batcher.run([1]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert begun == [[1]]
        second = asyncio.ensure_future(batcher.run([2, 3]))
        await asyncio.sleep(0.01)
        assert begun == [[1]]  # which is exclusive
        open_[0].set()
        await first
        await until(lambda: len(begun) == 3)
        assert begun == [[1], [2], [3]]
        third = asyncio.ensure_future(batcher.run([4]))
        await asyncio.sleep(0.01)
        assert len(begun) == 3
        open_[1].set()  # one of the two is enough
        await until(lambda: len(begun) == 4)
        for event in open_:
            event.set()
        assert await second == [2, 3]
        assert await third == [4]

    asyncio.run(run())


def test_a_free_slot_is_used_while_another_is_busy() -> None:
    async def run() -> None:
        long, begun = asyncio.Event(), list[int]()

        async def work(items: list[int]) -> list[int]:
            begun.extend(items)
            if 0 in items:
                await long.wait()
            return items

        batcher = Batcher(work, CapacityLimiter(2), 1, 100)
        slow, quick = (asyncio.ensure_future(batcher.run([i])) for i in (0, 1))
        assert await asyncio.wait_for(quick, 5) == [1]
        assert await asyncio.wait_for(batcher.run([2]), 5) == [2]
        assert not slow.done()
        long.set()
        assert await slow == [0]

    asyncio.run(run())


def test_a_slot_that_one_batcher_releases_is_used_by_another() -> None:
    async def run() -> None:
        long = {0: asyncio.Event(), 1: asyncio.Event()}

        async def work(items: list[int]) -> list[int]:
            for item in items:
                if item in long:
                    await long[item].wait()
            return items

        limiter = CapacityLimiter(2)
        encoder, decoder = (Batcher(work, limiter, 16, 100) for _ in range(2))
        both = asyncio.ensure_future(encoder.run([0, 2]))  # one of its two parts is quick
        slow = asyncio.ensure_future(decoder.run([1]))
        await asyncio.sleep(0.01)
        queued = asyncio.ensure_future(encoder.run([3]))
        await asyncio.sleep(0.01)
        long[1].set()
        assert await slow == [1]
        assert await asyncio.wait_for(queued, 5) == [3]
        assert not both.done()
        long[0].set()
        assert await both == [0, 2]

    asyncio.run(run())


@pytest.mark.parametrize("slots", [1, 2])
def test_a_request_that_arrives_as_the_last_worker_ends_is_served(slots: int) -> None:
    async def run() -> None:
        async def work(items: list[int]) -> list[int]:
            return items

        for steps in range(8):  # of the event loop, between one request and the next
            batcher = Batcher(work, CapacityLimiter(slots), 4, 100)
            first = asyncio.ensure_future(batcher.run([1]))
            for _ in range(steps):
                await asyncio.sleep(0)
            assert await asyncio.wait_for(batcher.run([2]), 5) == [2]
            assert await first == [1]

    asyncio.run(run())
