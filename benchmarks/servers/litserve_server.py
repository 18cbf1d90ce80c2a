"""The five works on LitServe: ``python -m benchmarks.servers.litserve_server PORT``.

One ``LitAPI`` with dynamic batching takes all four paths, which a middleware leads to it. With one
``LitAPI`` a path, the workers of the idle ones would poll their queues a thousand times a second
while another is measured. Workers are as many as there are cores, which its documentation says of
CPUs (``workers_per_device``), with one PyTorch thread each. The queue is ZeroMQ's (``fast_queue``),
advised above 100 requests a second.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import litserve as ls
import torch
from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from torch import Tensor

from benchmarks.servers import work

CORES = os.cpu_count() or 1
BATCH_SECONDS = 0.005  # a fraction of one decode; 0 would make idle workers spin
TIMEOUT_SECONDS = 600  # the default of 30 fails requests that only wait for their turn
PATH = "/works"
PATHS = {"/sample", "/reconstruct", "/interpolate", "/arithmetic"}
IMAGES = {"image", "start", "end", "a", "b", "c"}


@dataclass(frozen=True)
class Item:
    """A request as it was read: its fields, and its images in their order."""

    fields: Mapping[str, Any]
    images: list[work.Pixels]

    def latents(self, model: work.Prior, means: Tensor) -> tuple[Tensor, int]:
        """What to decode, from the means of the images, and tiles a row."""
        match len(self.images):
            case 0:
                n = int(self.fields["n"])
                return model.draw(n, int(self.fields["seed"])), work.columns(n)
            case 1:
                return means, 1
            case 2:
                steps = int(self.fields["steps"])
                return work.path(means[0], means[1], steps), steps
        return (means[0] - means[1] + means[2])[None], 1


class Works(ls.LitAPI):
    """The model, and one pass over a batch of requests."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model, in each worker."""
        self.model = work.Model(threads=1)

    # LitServe parses a body by this annotation; what it hands over is the form or the JSON itself.
    def decode_request(self, request: Request) -> Item:
        """The fields, with images decoded."""
        fields = dict(request)
        files = [fields.pop(name).file for name in sorted(IMAGES & fields.keys(), key=_place)]
        return Item(fields, [work.read(file.read(), self.model.size) for file in files])

    def batch(self, inputs: list[Item]) -> list[Item]:
        """Requests stay separate: they differ in how many images they hold."""
        return inputs

    def predict(self, batch: list[Item]) -> list[tuple[work.Pixels, int]]:
        """Encode the images of all requests together, then decode the latents of all."""
        counts = [len(item.images) for item in batch]
        images = [image for item in batch for image in item.images]
        means = self.model.encode(images) if images else torch.empty(0)
        groups = torch.split(means, counts)
        pairs = zip(batch, groups, strict=True)
        latents, columns = zip(*(item.latents(self.model, z) for item, z in pairs), strict=True)
        drawn = torch.from_numpy(self.model.decode(torch.cat(latents)))
        parts = torch.split(drawn, [len(z) for z in latents])
        return [(part.numpy(), across) for part, across in zip(parts, columns, strict=True)]

    def unbatch(self, output: list[tuple[work.Pixels, int]]) -> list[tuple[work.Pixels, int]]:
        """One result a request already."""
        return output

    def encode_response(self, output: tuple[work.Pixels, int]) -> Response:
        """The images as one PNG."""
        return Response(work.png(work.sheet(*output)), media_type="image/png")


class OnePath:
    """Leads every path of ours to the one of the ``LitAPI``, which goes by the fields."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI event stream."""
        if scope["type"] == "http" and scope["path"] in PATHS:
            scope = {**scope, "path": PATH, "raw_path": PATH.encode()}
        await self._app(scope, receive, send)


def _place(name: str) -> int:
    """Where an image stands among those of its request."""
    return {"end": 1, "b": 1, "c": 2}.get(name, 0)


def main(port: int) -> None:
    """Serve until stopped."""
    server = ls.LitServer(
        Works(api_path=PATH, max_batch_size=work.MAX_BATCH, batch_timeout=BATCH_SECONDS),
        accelerator="cpu",
        workers_per_device=CORES,
        timeout=TIMEOUT_SECONDS,
        fast_queue=True,
        middlewares=[OnePath],
    )
    server.run(host="127.0.0.1", port=port, num_api_servers=CORES, generate_client_file=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
