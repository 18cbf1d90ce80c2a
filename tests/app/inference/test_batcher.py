import asyncio
import gc
import threading
import time
import traceback
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
import torch

from app.inference.batcher import Batcher
from app.inference.errors import InferenceTimeoutError, QueueFullError, ShuttingDownError
from app.inference.limiter import CapacityLimiter
from app.observability.timing import Timing

Work = Callable[[list[int]], list[int]]


class BlockingDouble:
    """Doubles numbers, records the batches, and waits for ``open`` before it returns."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        assert self.open.wait(10)
        if -1 in items:
            raise ValueError("minus one")
        return [2 * item for item in items]


def threaded(work: Work, executor: Executor) -> Callable[[list[int]], Awaitable[list[int]]]:
    async def on_thread(items: list[int]) -> list[int]:
        return await asyncio.get_running_loop().run_in_executor(executor, work, items)

    return on_thread


def with_batcher(
    work: Work,
    scenario: Callable[[Batcher[int, int]], Awaitable[None]],
    max_batch: int = 4,
    max_queue: int = 8,
) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            on_thread = threaded(work, executor)
            await scenario(Batcher(on_thread, CapacityLimiter(), max_batch, max_queue))

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


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


def test_a_broken_item_fails_alone() -> None:
    work = BlockingDouble()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        calls = [batcher.run([1]), batcher.run([-1]), batcher.run([2]), batcher.run([3])]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert outcomes[0] == [2]
        assert isinstance(outcomes[1], ValueError)
        assert outcomes[2:] == [[4], [6]]
        assert work.batches[0] == [1, -1, 2, 3]  # they were together
        with pytest.raises(ValueError, match="minus one"):
            await batcher.run([4, -1, 5])

    with_batcher(work, scenario)


def test_a_small_request_overtakes_a_large_one_which_is_served_in_turn() -> None:
    work = BlockingDouble()

    async def scenario(batcher: Batcher[int, int]) -> None:
        running = asyncio.create_task(batcher.run([0]))
        await until(lambda: len(work.batches) == 1)
        large = asyncio.create_task(batcher.run([1] * 6))
        await asyncio.sleep(0)
        small = [asyncio.create_task(batcher.run([2])) for _ in range(3)]
        await asyncio.sleep(0)
        work.open.set()
        await asyncio.gather(running, large, *small)
        assert work.batches == [[0], [2, 2, 2, 1], [1, 1, 1, 1], [1]]

    with_batcher(work, scenario, max_queue=16)


def test_small_requests_do_not_starve_a_large_one() -> None:
    work = BlockingDouble()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        large = asyncio.create_task(batcher.run([1] * 8))
        overtaken = 0
        while not large.done():
            await batcher.run([2])
            overtaken += 1
        assert 0 < overtaken <= 20

    with_batcher(work, scenario, max_batch=1, max_queue=16)


def test_a_call_that_times_out_fails_all_its_items_and_is_not_repeated() -> None:
    calls: list[list[int]] = []

    def work(items: list[int]) -> list[int]:
        calls.append(items)
        if len(calls) == 1:
            raise InferenceTimeoutError("timed out")
        return items

    async def scenario(batcher: Batcher[int, int]) -> None:
        outcomes = await asyncio.gather(batcher.run([1]), batcher.run([2]), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [
            InferenceTimeoutError,
            InferenceTimeoutError,
        ]
        assert await batcher.run([3]) == [3]
        assert calls == [[1, 2], [3]]

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


def test_too_few_results_are_an_error() -> None:
    async def scenario(batcher: Batcher[int, int]) -> None:
        with pytest.raises(RuntimeError, match="1 items gave 0 results"):
            await batcher.run([1])

    with_batcher(lambda items: items[1:], scenario)


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


def test_every_item_that_fails_has_an_exception_of_its_own() -> None:
    shared = InferenceTimeoutError("timed out")
    shared.__cause__ = KeyError("cause")

    async def scenario() -> None:
        async def work(items: list[int]) -> list[int]:
            raise shared

        batcher = Batcher(work, CapacityLimiter(), 4, 8)
        calls = [batcher.run([item]) for item in range(4)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert len({id(error) for error in [shared, *errors]}) == 5
        for error in errors:
            assert isinstance(error, InferenceTimeoutError)
            assert error.args == ("timed out",)
            assert error.__cause__ is shared.__cause__

    asyncio.run(scenario())


def test_the_traceback_of_a_failed_item_names_the_fault_and_no_other_request() -> None:
    async def scenario() -> None:
        async def work(items: list[int]) -> list[int]:
            raise ValueError(f"{len(items)} items")

        async def request(item: int) -> None:
            await batcher.run([item])

        batcher = Batcher(work, CapacityLimiter(), 4, 8)
        errors = await asyncio.gather(*(request(i) for i in range(4)), return_exceptions=True)
        for error in errors:
            assert isinstance(error, ValueError)
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            assert names.count("request") == 1
            assert names[-1] == "work"
            assert error.__context__ is None

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad", 3),
        KeyError("key"),
        OSError(5, "Input/output error"),
        QueueFullError(3, 4, 5),
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_exception_of_an_item_is_that_of_its_work(error: Exception) -> None:
    async def scenario() -> None:
        async def work(items: list[int]) -> list[int]:
            raise error

        with pytest.raises(type(error)) as raised:
            await Batcher(work, CapacityLimiter(), 4, 8).run([1])
        assert raised.value is not error
        assert type(raised.value) is type(error)
        assert str(raised.value) == str(error)
        assert vars(raised.value) == vars(error)

    asyncio.run(scenario())
