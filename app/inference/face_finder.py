"""Finds faces: photographs are decoded on image threads and searched on inference threads."""

from collections.abc import Awaitable, Callable, Sequence

import numpy as np
import torch

from app.inference.batcher import Batcher
from app.inference.engine import Pixels, run_on_device
from app.inference.limiter import CapacityLimiter
from app.observability.timing import Timing
from vae.faces.detector import Face, FaceDetector

NAME = "face_detector"  # in metrics and spans
OPERATION = "detect"
MAX_PHOTOGRAPHS = 8  # that are held at a time, see ``FaceFinder``
WARM_UP_SIDES = (32, 480, 1000)  # pixels

ReadPhotograph = Callable[[], Awaitable[Pixels]]


class FaceEngine:
    """A face detector on a device, on an inference thread: images in, as many results out.

    Images are searched one by one: their sizes differ, and so do the windows that the networks of
    the cascade pass on.

    Args:
        detector: of faces.
        device: where it runs.
    """

    def __init__(self, detector: FaceDetector, device: torch.device) -> None:
        self._detector, self._device = detector, device

    def detect_many(self, images: list[Pixels]) -> list[list[Face]]:
        """The faces in each image, uint8 RGB ``(H, W, 3)``; the largest first.

        Raises:
            OutOfMemoryError: if there is not enough memory for one image.
            DeviceLostError: if the device fails every call.
        """
        return run_on_device(
            lambda batch: [self._detector.detect(torch.from_numpy(image)) for image in batch],
            images,
            self._device,
            step=1,
        )

    def warm_up(self) -> None:
        """Search a small and a large image."""
        noise = np.random.default_rng(0)
        for side in WARM_UP_SIDES:
            self.detect_many([noise.integers(0, 256, (side, side, 3), np.uint8)])


class FaceFinder:
    """Searches photographs, a bounded number at a time.

    A photograph that waits for the detector takes megabytes. So it is decoded only when its turn
    comes: at most ``MAX_PHOTOGRAPHS`` are held. The queue before that is fair to requests, and
    bounded.

    Args:
        detector: images, uint8 RGB ``(H, W, 3)``, to the faces in each.
        max_queue: largest number of photographs that wait.
    """

    def __init__(self, detector: Batcher[Pixels, list[Face]], max_queue: int) -> None:
        self._detector = detector
        self._queue: Batcher[ReadPhotograph, list[Face]] = Batcher(
            self._search,
            CapacityLimiter(MAX_PHOTOGRAPHS, allow_exclusive=False),
            1,
            max_queue,
            labels={"model": NAME, "operation": OPERATION},
        )

    @property
    def waiting(self) -> int:
        """Number of photographs that are not decoded yet."""
        return self._queue.waiting

    async def find(
        self, photographs: Sequence[ReadPhotograph], timing: Timing | None = None
    ) -> list[list[Face]]:
        """The faces in each photograph of one request, the largest first.

        Args:
            photographs: each decodes one, uint8 RGB ``(H, W, 3)``, when its turn comes.
            timing: of the request.

        Raises:
            QueueFullError: if not all of them fit into the queue; then none is queued.
            ShuttingDownError: after ``close``.
            Exception: what ``photographs`` or the detector raised.
        """
        return await self._queue.run(photographs, timing)

    async def close(self) -> None:
        """Accept no more photographs and finish those already queued."""
        await self._queue.close()
        await self._detector.close()

    async def _search(self, photographs: list[ReadPhotograph]) -> list[list[Face]]:
        [read] = photographs
        return await self._detector.run([await read()])
