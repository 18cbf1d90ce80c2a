"""Compares the images of a system with those of the checkpoint, before its speed is measured."""

import io
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.servers import work as servers
from benchmarks.works import WORKS, Work, jpeg

CHECKED = 2  # requests of each work
PIXEL_TOLERANCE = 2  # grey levels, by which half precision may differ
MIN_MATCH_FRACTION = 0.999  # of the values


Request = tuple[str, int]  # a work and the number of its request


class WrongImageError(Exception):
    """A system responds with another image than the checkpoint decodes."""


class Check:
    """The expected images, decoded once by the model alone.

    Args:
        works: that will be requested.
    """

    def __init__(self, works: tuple[str, ...]) -> None:
        model = servers.Model()
        self._works = [WORKS[name] for name in works]
        self._expected = {
            (work.name, i): expected(model, work, i) for work in self._works for i in range(CHECKED)
        }

    def run(self, system: str, port: int, keep: Path) -> dict[Request, servers.Pixels]:
        """Request each work a few times and compare with what the checkpoint decodes.

        Args:
            system: its name.
            port: where it listens.
            keep: a folder for one image of each work, to look at.

        Returns:
            the images.

        Raises:
            WrongImageError: if a response is no PNG, or not this image.
        """
        return self._images(system, port, keep)

    def again(self, system: str, port: int, before: dict[Request, servers.Pixels]) -> int:
        """The largest difference, in grey levels, between the images now and ``before``.

        Raises:
            WrongImageError: as ``run``.
        """
        now = self._images(system, port)
        return max(int(_difference(now[key], before[key]).max()) for key in now)

    def _images(
        self, system: str, port: int, keep: Path | None = None
    ) -> dict[Request, servers.Pixels]:
        images = {}
        for work in self._works:
            for i in range(CHECKED):
                data = request_image(work, i, port)
                if keep is not None and i == 0:
                    (keep / f"{system}-{work.name}.png").write_bytes(data)
                image, right = Image.open(io.BytesIO(data)), self._expected[work.name, i]
                what = f"{system}, {work.name} {i}"
                if image.format != "PNG" or image.size != (right.shape[1], right.shape[0]):
                    raise WrongImageError(f"{what}: {image.format} of {image.size}")
                images[work.name, i] = np.asarray(image.convert("RGB"))
                difference = _difference(images[work.name, i], right)
                if np.mean(difference <= PIXEL_TOLERANCE) < MIN_MATCH_FRACTION:
                    raise WrongImageError(f"{what}: off by up to {difference.max()} grey levels")
        return images


def _difference(a: servers.Pixels, b: servers.Pixels) -> servers.Pixels:
    return np.maximum(a, b) - np.minimum(a, b)


def expected(model: servers.Model, work: Work, i: int) -> servers.Pixels:
    """The image that images the i-th request of a work."""
    if not work.encodes:
        z = model.draw(work.decodes, seed=work.seed(i))
    else:
        read = [servers.read(jpeg(i + k), model.size) for k in range(work.encodes)]
        z = model.encode(read)
        if work.encodes == 2:
            z = servers.path(z[0], z[1], work.decodes)
        elif work.encodes == 3:
            z = (z[0] - z[1] + z[2])[None]
    return servers.sheet(model.decode(z), work.columns)


def request_image(work: Work, i: int, port: int) -> bytes:
    """The response to the i-th request of a work."""
    headers = {"Content-Type": work.content_type, "Accept": "image/png"}
    url = f"http://127.0.0.1:{port}{work.path_and_query}"
    request = urllib.request.Request(url, work.body(i), headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=120) as response:
        return bytes(response.read())
