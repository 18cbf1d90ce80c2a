import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from app.inference.batcher import Batcher, InferenceTimeoutError, QueueFullError, ShuttingDownError
from app.inference.limiter import CapacityLimiter
from app.observability.timing import Timing

Work = Callable[[list[int]], list[int]]


class HeldDoubling:
    """Doubles numbers, notes the batches, and waits for ``open`` before it answers."""

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


def test_what_comes_while_the_model_is_busy_runs_together() -> None:
    work = HeldDoubling()

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


def test_a_full_queue_takes_all_of_a_request_or_none() -> None:
    work = HeldDoubling()

    async def scenario(batcher: Batcher[int, int]) -> None:
        running = asyncio.create_task(batcher.run([0]))
        await until(lambda: len(work.batches) == 1)
        waiting = asyncio.create_task(batcher.run([1, 2, 3, 4, 5]))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError, match="5 pictures are waiting") as refused:
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
    work = HeldDoubling()
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


def test_a_small_request_passes_a_large_one_which_has_its_turn() -> None:
    work = HeldDoubling()

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
    work = HeldDoubling()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        large = asyncio.create_task(batcher.run([1] * 8))
        passed = 0
        while not large.done():
            await batcher.run([2])
            passed += 1
        assert 0 < passed <= 20

    with_batcher(work, scenario, max_batch=1, max_queue=16)


def test_a_call_that_is_lost_fails_all_its_items_and_is_not_tried_again() -> None:
    calls: list[list[int]] = []

    def work(items: list[int]) -> list[int]:
        calls.append(items)
        if len(calls) == 1:
            raise InferenceTimeoutError("gone")
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
    work = HeldDoubling()
    work.open.set()

    async def scenario(batcher: Batcher[int, int]) -> None:
        assert await batcher.run(range(8)) == [2 * i for i in range(8)]
        assert [len(batch) for batch in work.batches] == [4, 4]
        assert await batcher.run([]) == []
        with pytest.raises(QueueFullError, match="0 pictures are waiting and the queue takes 8"):
            await batcher.run(range(9))
        assert await batcher.run([9]) == [18]  # it goes on

    with_batcher(work, scenario)


def test_the_time_to_come_back_grows_with_the_queue() -> None:
    def work(items: list[int]) -> list[int]:
        time.sleep(0.5)
        return items

    async def scenario(batcher: Batcher[int, int]) -> None:
        await batcher.run([0])  # it has seen how slow the work is: 0.02 + 0.1 * (0.5 - 0.02) s
        waiting = asyncio.create_task(batcher.run(range(40)))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError) as refused:
            await batcher.run([0])
        assert 2 <= refused.value.retry_after <= 10
        waiting.cancel()

    with_batcher(work, scenario, max_batch=40, max_queue=40)


def test_work_that_answers_too_little_is_an_error() -> None:
    async def scenario(batcher: Batcher[int, int]) -> None:
        with pytest.raises(RuntimeError, match="1 items gave 0 results"):
            await batcher.run([1])

    with_batcher(lambda items: items[1:], scenario)


def test_who_has_gone_costs_no_batch() -> None:
    work = HeldDoubling()

    async def scenario(batcher: Batcher[int, int]) -> None:
        running = asyncio.create_task(batcher.run([0]))
        await until(lambda: len(work.batches) == 1)
        gone = asyncio.create_task(batcher.run([1, 2, 3]))
        stays = asyncio.create_task(batcher.run([4]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        fits = asyncio.create_task(batcher.run([5, 6, 7, 8, 9, 10, 11]))  # their place is free
        await asyncio.sleep(0)
        work.open.set()
        await asyncio.gather(running, stays, fits)
        assert [item for batch in work.batches for item in batch] == [0, *range(4, 12)]

    with_batcher(work, scenario)


def test_who_goes_while_it_runs_takes_nobody_along() -> None:
    work = HeldDoubling()

    async def scenario(batcher: Batcher[int, int]) -> None:
        first = asyncio.create_task(batcher.run([0]))
        await until(lambda: len(work.batches) == 1)
        goes = asyncio.create_task(batcher.run([1]))
        stays = asyncio.create_task(batcher.run([2]))
        first.cancel()
        work.open.set()
        await until(lambda: len(work.batches) == 2)
        goes.cancel()
        assert await stays == [4]
        assert await batcher.run([3]) == [6]

    with_batcher(work, scenario)


def test_closing_when_idle_ends_at_once() -> None:
    async def scenario(batcher: Batcher[int, int]) -> None:
        await batcher.close()
        await batcher.close()
        with pytest.raises(ShuttingDownError):
            await batcher.run([1])

    with_batcher(lambda items: items, scenario)


def test_closing_finishes_what_was_accepted_and_takes_no_more() -> None:
    work = HeldDoubling()

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


def test_batchers_that_share_a_gate_take_turns() -> None:
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
            gate = CapacityLimiter()
            on_thread = threaded(work, executor)
            pair = [Batcher[int, int](on_thread, gate, 2, 100) for _ in range(2)]
            answers = await asyncio.gather(*(pair[i % 2].run([i, i]) for i in range(40)))
            assert answers == [[i, i] for i in range(40)]

    asyncio.run(run())
    assert overlaps == 0
    assert sum(sizes) == 80


def with_places(places: int, max_batch: int, requests: list[int]) -> list[tuple[int, bool]]:
    """Size of each batch and whether it had all places, for requests that come at once."""
    begun: list[tuple[int, bool]] = []

    async def run() -> None:
        gate, running, most = CapacityLimiter(places), 0, 0

        async def work(items: list[int]) -> list[int]:
            nonlocal running, most
            begun.append((len(items), gate.whole))
            running += places if gate.whole else 1
            most = max(most, running)
            await asyncio.sleep(0.005)
            running -= places if gate.whole else 1
            return items

        batcher = Batcher(work, gate, max_batch, 1000)
        answers = await asyncio.gather(*(batcher.run([i] * n) for i, n in enumerate(requests)))
        assert answers == [[i] * n for i, n in enumerate(requests)]
        assert most == min(places, len(begun)) or any(whole for _, whole in begun)
        assert most <= places
        await batcher.run([0])
        assert begun.pop() == (1, places > 1)

    asyncio.run(run())
    return begun


def test_what_waits_is_shared_out_among_the_places() -> None:
    assert with_places(2, 16, [16]) == [(8, False), (8, False)]
    assert with_places(4, 16, [1] * 6) == [(2, False), (2, False), (1, False), (1, False)]
    assert with_places(2, 4, [16]) == [(4, False)] * 4
    assert with_places(1, 16, [20]) == [(16, False), (4, False)]


def test_less_than_an_item_a_place_has_all_places() -> None:
    assert with_places(2, 16, [1]) == [(1, True)]
    assert with_places(4, 16, [3]) == [(3, True)]
    assert with_places(2, 16, [2]) == [(1, False), (1, False)]


def test_who_comes_meanwhile_has_the_next_free_place() -> None:
    async def run() -> None:
        gate, open_ = CapacityLimiter(2), [asyncio.Event() for _ in range(4)]
        begun: list[list[int]] = []

        async def work(items: list[int]) -> list[int]:
            begun.append(items)
            await open_[len(begun) - 1].wait()
            return items

        batcher = Batcher(work, gate, 16, 100)
        first = asyncio.ensure_future(batcher.run([1]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert begun == [[1]]
        second = asyncio.ensure_future(batcher.run([2, 3]))
        await asyncio.sleep(0.01)
        assert begun == [[1]]  # which has all places
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


def test_a_place_that_has_become_free_is_used_while_another_is_busy() -> None:
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


def test_a_place_that_one_batcher_leaves_is_used_by_the_other() -> None:
    async def run() -> None:
        long = {0: asyncio.Event(), 1: asyncio.Event()}

        async def work(items: list[int]) -> list[int]:
            for item in items:
                if item in long:
                    await long[item].wait()
            return items

        gate = CapacityLimiter(2)
        encoder, decoder = (Batcher(work, gate, 16, 100) for _ in range(2))
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


@pytest.mark.parametrize("places", [1, 2])
def test_who_comes_as_the_last_worker_leaves_is_served(places: int) -> None:
    async def run() -> None:
        async def work(items: list[int]) -> list[int]:
            return items

        for steps in range(8):  # of the event loop, between one request and the next
            batcher = Batcher(work, CapacityLimiter(places), 4, 100)
            first = asyncio.ensure_future(batcher.run([1]))
            for _ in range(steps):
                await asyncio.sleep(0)
            assert await asyncio.wait_for(batcher.run([2]), 5) == [2]
            assert await first == [1]

    asyncio.run(run())


def test_timing_of_a_request_that_was_shared_out_has_its_longest_part() -> None:
    async def run() -> None:
        async def work(items: list[int]) -> list[int]:
            await asyncio.sleep(0.15 if 0 in items else 0.01)
            return items

        timing = Timing()
        await Batcher(work, CapacityLimiter(2), 16, 100).run([0, 1, 2, 3], timing)
        assert timing.model >= 0.14

    asyncio.run(run())


def test_timing_tells_waiting_from_working() -> None:
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


def test_items_whose_caller_has_gone_are_not_kept() -> None:
    class Item:
        pass

    async def scenario() -> None:
        gate = CapacityLimiter()

        async def work(items: list[Item]) -> list[int]:
            return [0] * len(items)

        batcher = Batcher(work, gate, 4, 8)
        async with gate.call(lambda: 1):  # so that nothing is run
            item = Item()
            watched = weakref.ref(item)
            gone = asyncio.ensure_future(batcher.run([item]))
            stays = asyncio.ensure_future(batcher.run([Item(), Item()]))
            await asyncio.sleep(0)
            assert batcher.waiting == 3
            gone.cancel()
            await asyncio.wait({gone})
            assert batcher.waiting == 2
            del item, gone
            gc.collect()
            assert watched() is None
        assert await stays == [0, 0]

    asyncio.run(scenario())
