"""The five works on Ray Serve: ``python -m benchmarks.servers.ray_server PORT``.

A FastAPI ingress with two ``@serve.batch`` methods, in one replica that has all cores, so that all
requests meet in its batches: encoder and decoder are then one process, like Lorgnette's. Blocking
code runs on threads, as its page on asyncio advises. ``RAY_SERVE_THROUGHPUT_OPTIMIZED=1`` is set by
the benchmark, from its page on performance; HAProxy, also from there, is not: it insists on
listening on all interfaces.
"""

import asyncio
import os
import signal
import sys
import threading
from typing import Annotated

import ray
import torch
from fastapi import FastAPI, Form, Response, UploadFile
from pydantic import BaseModel
from ray import serve
from ray._private import services
from torch import Tensor

from benchmarks.servers import work

CORES = os.cpu_count() or 1
BATCH_SECONDS = 0.005  # between the best for one client, 0, and for many, the default of 0.01
CLIENTS = 1024  # requests that the replica takes at a time; the default of 5 would cap its batches
STORE_BYTES = 100 * 2**20  # nothing large goes between processes
HTTP_SECONDS = 600

app = FastAPI()
batched = serve.batch(max_batch_size=work.MAX_BATCH, batch_wait_timeout_s=BATCH_SECONDS)


class Sample(BaseModel):
    """How many images, and from which seed."""

    n: int = 1
    seed: int = 0


@serve.ingress(app)
class Works:
    """The endpoints, and the model behind them."""

    def __init__(self) -> None:
        self.model = work.Model(threads=CORES)

    @batched
    async def encode(self, images: list[work.Pixels]) -> list[Tensor]:
        """The mean ``(D,)`` of each image."""
        return list(await asyncio.to_thread(self.model.encode, images))

    @batched
    async def decode(self, latents: list[Tensor]) -> list[work.Pixels]:
        """The image of each latent."""
        return list(await asyncio.to_thread(self.model.decode, torch.stack(latents)))

    @app.post("/sample")
    async def sample(self, request: Sample) -> Response:
        """New images."""
        z = self.model.draw(request.n, request.seed)
        return await self._respond(z, work.columns(request.n))

    @app.post("/reconstruct")
    async def reconstruct(self, image: UploadFile) -> Response:
        """An image through the latent space and back."""
        return await self._respond(torch.stack(await self._means(image)), 1)

    @app.post("/interpolate")
    async def interpolate(
        self, start: UploadFile, end: UploadFile, steps: Annotated[int, Form()] = 8
    ) -> Response:
        """A path between two images."""
        means = await self._means(start, end)
        return await self._respond(work.path(means[0], means[1], steps), steps)

    @app.post("/arithmetic")
    async def arithmetic(self, a: UploadFile, b: UploadFile, c: UploadFile) -> Response:
        """The image of a - b + c."""
        means = await self._means(a, b, c)
        return await self._respond((means[0] - means[1] + means[2])[None], 1)

    async def _means(self, *files: UploadFile) -> list[Tensor]:
        async def mean(file: UploadFile) -> Tensor:
            data = await file.read()
            pixels = await asyncio.to_thread(work.read, data, self.model.size)
            found: Tensor = await self.encode(pixels)
            return found

        return await asyncio.gather(*map(mean, files))

    async def _respond(self, z: Tensor, columns: int) -> Response:
        images = await asyncio.gather(*(self.decode(row) for row in z))
        body = await asyncio.to_thread(lambda: work.png(work.sheet(work.stack(images), columns)))
        return Response(body, media_type="image/png")


def main(port: int) -> None:
    """Serve until stopped."""
    services.resolve_ip_for_localhost = lambda host: host  # else Ray takes an outer address
    ray.init(
        num_cpus=CORES,
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    options = serve.config.HTTPOptions(host="127.0.0.1", port=port, request_timeout_s=HTTP_SECONDS)
    serve.start(http_options=options)
    deployed = serve.deployment(
        Works,
        num_replicas=1,
        max_ongoing_requests=CLIENTS,
        ray_actor_options={"num_cpus": CORES},
    )
    serve.run(deployed.bind())
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())  # after Ray has set its own
    stopped.wait()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
