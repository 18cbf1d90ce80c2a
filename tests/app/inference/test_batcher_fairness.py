import asyncio

from app.inference.batcher import Batcher
from tests.app.inference.batches import BlockingDouble, until, with_batcher


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
