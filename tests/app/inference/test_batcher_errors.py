import asyncio
import traceback

import pytest
import torch

from app.inference.batcher import Batcher
from app.inference.errors import InferenceTimeoutError, QueueFullError
from app.inference.limiter import CapacityLimiter
from tests.app.inference.batches import BlockingDouble, with_batcher


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


def test_too_few_results_are_an_error() -> None:
    async def scenario(batcher: Batcher[int, int]) -> None:
        with pytest.raises(RuntimeError, match="1 items gave 0 results"):
            await batcher.run([1])

    with_batcher(lambda items: items[1:], scenario)


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
