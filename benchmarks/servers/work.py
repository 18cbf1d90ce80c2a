"""The code every competitor shares: the checkpoint in batches, JPEG in, PNG out.

The model is called with care (channels-last, inference mode), and PNGs are written at Pillow's
fastest level, while the naive server uses the defaults of both. With ``BENCH_PNG=lorgnette``
they are written by Lorgnette's own ``app/images/png.py`` instead.
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from app.images import png as lorgnette_png
from vae import checkpoint, latent
from vae.pixels import to_float, to_uint8

Pixels = npt.NDArray[np.uint8]

FILE = Path(os.environ.get("BENCH_CHECKPOINT", "models/faces/model.safetensors"))
MAX_BATCH = 16  # images in one call of the model at most, as in Lorgnette's settings


class Prior:
    """The part of the checkpoint that latents are drawn from."""

    def __init__(self) -> None:
        self._checkpoint = checkpoint.load(FILE)

    def draw(self, n: int, seed: int) -> Tensor:
        """Latents ``(n, D)`` from the fitted prior."""
        return self._checkpoint.sample(range(seed, seed + n))


class Model(Prior):
    """The checkpoint, and the two calls that are worth batching.

    Args:
        threads: CPU threads of one call, or None to leave it to PyTorch.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        super().__init__()
        self._model = self._checkpoint.model.to(memory_format=torch.channels_last)
        self.size = self._checkpoint.model.config.size
        blank = np.zeros((self.size, self.size, 3), np.uint8)
        for count in (1, MAX_BATCH):
            self.decode(self.encode([blank] * count))

    @torch.inference_mode()
    def encode(self, images: Sequence[Pixels], batch: int = MAX_BATCH) -> Tensor:
        """The means ``(N, D)`` of images ``(S, S, C)``, so many at a time."""
        means = []
        for i in range(0, len(images), batch):
            x = to_float(torch.from_numpy(np.stack(images[i : i + batch])))
            x = x.contiguous(memory_format=torch.channels_last)
            means.append(self._model.encode(x).mean)
        return torch.cat(means)

    @torch.inference_mode()
    def decode(self, latents: Tensor, batch: int = MAX_BATCH) -> Pixels:
        """The images ``(N, S, S, C)`` of latents ``(N, D)``, so many at a time."""
        batches = [to_uint8(self._model.decode(z)).numpy() for z in torch.split(latents, batch)]
        return np.concatenate(batches)


def read(data: bytes, size: int) -> Pixels:
    """An image file as uint8 ``(size, size, 3)``."""
    return fitted(Image.open(io.BytesIO(data)), size)


def fitted(image: Image.Image, size: int) -> Pixels:
    """An image as uint8 ``(size, size, 3)``."""
    image = image.convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)


def path(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """The latents of an interpolation, ``(steps, D)``."""
    return latent.path(start, end, steps)


def columns(count: int) -> int:
    """Tiles a row of the squarest sheet."""
    return int(np.ceil(np.sqrt(count)))


def stack(images: Sequence[Pixels]) -> Pixels:
    """Images ``(S, S, C)`` as one array ``(N, S, S, C)``."""
    return np.stack(images)


def sheet(images: Pixels, across: int) -> Pixels:
    """Images ``(N, S, S, C)`` as tiles, row by row; N is a multiple of ``across``."""
    n, height, width, channels = images.shape
    rows = images.reshape(n // across, across, height, width, channels)
    return rows.swapaxes(1, 2).reshape(n // across * height, across * width, channels)


def png(pixels: Pixels) -> bytes:
    """A PNG, by the encoder of ``BENCH_PNG``."""
    if os.environ.get("BENCH_PNG") == "lorgnette":
        return lorgnette_png.encode(pixels)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
