import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
import torch

from app.inference.batcher import Batcher
from app.inference.engine import Pixels
from app.inference.errors import OutOfMemoryError, QueueFullError, ShuttingDownError
from app.inference.face_finder import MAX_PHOTOGRAPHS, FaceEngine, FaceFinder
from app.inference.limiter import CapacityLimiter
from vae.faces.detector import Face, FaceDetector, Networks

IMAGE = np.zeros((20, 20, 3), np.uint8)


def face(number: int) -> Face:
    return Face((0, 0, number, number), 1.0, ())


class Double:
    """Finds in each image one face, of the size that its first pixel says, once it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.decoded: list[int] = []

    async def detect(self, images: list[Pixels]) -> list[list[Face]]:
        await self.open.wait()
        return [[face(int(image[0, 0, 0]))] for image in images]

    def photograph(self, number: int) -> Callable[[], Awaitable[Pixels]]:
        async def read() -> Pixels:
            await asyncio.sleep(0)
            if number == 0:
                raise ValueError("corrupt")
            self.decoded.append(number)
            return np.full((1, 1, 3), number, np.uint8)

        return read


def with_finder(scenario: Callable[[FaceFinder, Double], Awaitable[None]]) -> None:
    async def run() -> None:
        double = Double()
        batcher = Batcher(double.detect, CapacityLimiter(2), 1, MAX_PHOTOGRAPHS)
        await scenario(FaceFinder(batcher, max_queue=64), double)

    asyncio.run(run())


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_faces_come_in_the_order_of_the_photographs() -> None:
    async def scenario(finder: FaceFinder, double: Double) -> None:
        double.open.set()
        found = await finder.find([double.photograph(n) for n in range(1, 41)])
        assert found == [[face(n)] for n in range(1, 41)]
        assert await finder.find([]) == []

    with_finder(scenario)


def test_only_a_few_photographs_are_decoded_before_their_turn() -> None:
    async def scenario(finder: FaceFinder, double: Double) -> None:
        many = asyncio.create_task(finder.find([double.photograph(n) for n in range(1, 41)]))
        await settle()
        assert len(double.decoded) == MAX_PHOTOGRAPHS
        assert finder.waiting == 40 - MAX_PHOTOGRAPHS
        with pytest.raises(QueueFullError):
            await finder.find([double.photograph(n) for n in range(1, 41)])
        one = asyncio.create_task(finder.find([double.photograph(99)]))
        await settle()
        double.open.set()
        assert await one == [[face(99)]]
        assert double.decoded.index(99) <= MAX_PHOTOGRAPHS + 1  # it overtook the large request
        await many

    with_finder(scenario)


def test_a_photograph_that_cannot_be_read_fails_its_request_alone() -> None:
    async def scenario(finder: FaceFinder, double: Double) -> None:
        double.open.set()
        bad = asyncio.create_task(finder.find([double.photograph(3), double.photograph(0)]))
        good = asyncio.create_task(finder.find([double.photograph(4)]))
        with pytest.raises(ValueError, match="corrupt"):
            await bad
        assert await good == [[face(4)]]

    with_finder(scenario)


def test_a_cancelled_request_is_not_decoded() -> None:
    async def scenario(finder: FaceFinder, double: Double) -> None:
        first = asyncio.create_task(finder.find([double.photograph(n) for n in range(1, 9)]))
        await settle()
        late = asyncio.create_task(finder.find([double.photograph(77)]))
        await settle()
        late.cancel()
        await settle()
        assert finder.waiting == 0
        double.open.set()
        await first
        await settle()
        assert 77 not in double.decoded

    with_finder(scenario)


def test_after_close_nothing_is_accepted() -> None:
    async def scenario(finder: FaceFinder, double: Double) -> None:
        double.open.set()
        queued = asyncio.create_task(finder.find([double.photograph(5)]))
        await asyncio.sleep(0)
        await finder.close()
        assert await queued == [[face(5)]]
        with pytest.raises(ShuttingDownError):
            await finder.find([double.photograph(6)])

    with_finder(scenario)


def test_the_engine_searches_one_image_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[torch.Size] = []

    def detect(detector: FaceDetector, image: torch.Tensor) -> list[Face]:
        shapes.append(image.shape)
        return [face(len(shapes))]

    monkeypatch.setattr(FaceDetector, "detect", detect)
    cpu = torch.device("cpu")
    engine = FaceEngine(FaceDetector(Networks(), cpu), cpu)
    other = np.zeros((9, 30, 3), np.uint8)
    assert engine.detect_many([IMAGE, other]) == [[face(1)], [face(2)]]
    assert shapes == [IMAGE.shape, other.shape]


def test_too_little_memory_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(detector: FaceDetector, image: torch.Tensor) -> list[Face]:
        raise MemoryError

    monkeypatch.setattr(FaceDetector, "detect", exhaust)
    cpu = torch.device("cpu")
    with pytest.raises(OutOfMemoryError):
        FaceEngine(FaceDetector(Networks(), cpu), cpu).detect_many([IMAGE])
