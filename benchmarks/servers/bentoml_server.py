"""The five works on BentoML: ``bentoml serve benchmarks.servers.bentoml_server:Front``.

As its guide to adaptive batching does for an API with several parameters: a service whose methods
take one batchable array holds the model, and a service in front of it, on which the endpoints are,
calls it through ``bentoml.depends``. The front is bound to Python and Pillow and has a worker a
core; the model has one worker, so that all requests meet in its batches, and PyTorch's threads use
the cores.

BentoML keeps idle connections between the two for longer than their other end does, and a request
on one that was closed fails (its issue 4971); it is sent again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import bentoml
import numpy as np
import torch
from PIL.Image import Image
from starlette.responses import Response

from benchmarks.servers import work

# Both limits refuse requests that only wait for their turn: "process is overloaded", timeouts.
LATENCY_MS = 600_000
TIMEOUT_SECONDS = 600
CONNECTIONS = 128  # that may all be closed
SIZE = 256

batchable = bentoml.api(batchable=True, max_batch_size=work.MAX_BATCH, max_latency_ms=LATENCY_MS)


@bentoml.service(workers=1, traffic={"timeout": TIMEOUT_SECONDS})
class Networks:
    """The two calls that are batched."""

    def __init__(self) -> None:
        self.model = work.Model()

    @batchable
    def encode(self, images: np.ndarray) -> np.ndarray:
        """Means ``(N, D)`` of images ``(N, S, S, C)``."""
        return self.model.encode(list(images)).numpy()

    @batchable
    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Images ``(N, S, S, C)`` of latents ``(N, D)``."""
        return self.model.decode(torch.from_numpy(latents))


@bentoml.service(workers="cpu_count", traffic={"timeout": TIMEOUT_SECONDS})
class Front:
    """The endpoints."""

    networks: Any = bentoml.depends(Networks)

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.prior = work.Prior()

    @bentoml.api(route="/sample")
    async def sample(self, n: int = 1, seed: int = 0) -> Any:
        """New images."""
        return await self._respond(self.prior.draw(n, seed), work.columns(n))

    @bentoml.api(route="/reconstruct")
    async def reconstruct(self, image: Image) -> Any:
        """An image through the latent space and back."""
        return await self._respond(await self._encode(image), 1)

    @bentoml.api(route="/interpolate")
    async def interpolate(self, start: Image, end: Image, steps: int = 8) -> Any:
        """A path between two images."""
        means = await self._encode(start, end)
        return await self._respond(work.path(means[0], means[1], steps), steps)

    @bentoml.api(route="/arithmetic")
    async def arithmetic(self, a: Image, b: Image, c: Image) -> Any:
        """The image of a - b + c."""
        means = await self._encode(a, b, c)
        return await self._respond((means[0] - means[1] + means[2])[None], 1)

    async def _encode(self, *images: Image) -> torch.Tensor:
        def read() -> np.ndarray:
            return np.stack([work.fitted(image, SIZE) for image in images])

        pixels = await asyncio.to_thread(read)
        means = await _persistent(lambda: self.networks.to_async.encode(pixels))
        return torch.from_numpy(means)

    async def _respond(self, z: torch.Tensor, columns: int) -> Response:
        images = await _persistent(lambda: self.networks.to_async.decode(z.numpy()))
        body = await asyncio.to_thread(lambda: work.png(work.sheet(images, columns)))
        return Response(body, media_type="image/png")


async def _persistent(call: Callable[[], Awaitable[np.ndarray]]) -> np.ndarray:
    """The response of the other service; a request on a closed connection is sent again."""
    for _ in range(CONNECTIONS):
        with suppress(aiohttp.ClientConnectionError):
            return await call()
    return await call()
