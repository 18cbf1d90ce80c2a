"""Whether a system draws the right pictures, before its speed is worth anything."""

import io
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.servers import work as servers
from benchmarks.works import WORKS, Work, jpeg

CHECKED = 2  # requests of each work
PIXEL_TOLERANCE, SHARE = 2, 0.999  # half precision may differ by as much, in as many of the values


Request = tuple[str, int]  # a work and the number of its request


class WrongPictureError(Exception):
    """A system answers something else than the checkpoint draws."""


class Check:
    """The expected answers, drawn once by the model alone.

    Args:
        works: that will be asked for.
    """

    def __init__(self, works: tuple[str, ...]) -> None:
        model = servers.Model()
        self._works = [WORKS[name] for name in works]
        self._expected = {
            (work.name, i): expected(model, work, i) for work in self._works for i in range(CHECKED)
        }

    def run(self, system: str, port: int, keep: Path) -> dict[Request, servers.Pixels]:
        """Ask each work a few times and compare with what the checkpoint draws.

        Args:
            system: its name.
            port: where it listens.
            keep: a folder for one answer of each work, to be looked at.

        Returns:
            the answers.

        Raises:
            WrongPictureError: if an answer is no PNG, or not this picture.
        """
        return self._answers(system, port, keep)

    def again(self, system: str, port: int, before: dict[Request, servers.Pixels]) -> int:
        """The largest difference, in grey levels, between what is answered now and ``before``.

        Raises:
            WrongPictureError: as ``run``.
        """
        now = self._answers(system, port)
        return max(int(_apart(now[key], before[key]).max()) for key in now)

    def _answers(
        self, system: str, port: int, keep: Path | None = None
    ) -> dict[Request, servers.Pixels]:
        answers = {}
        for work in self._works:
            for i in range(CHECKED):
                data = ask(work, i, port)
                if keep is not None and i == 0:
                    (keep / f"{system}-{work.name}.png").write_bytes(data)
                image, right = Image.open(io.BytesIO(data)), self._expected[work.name, i]
                what = f"{system}, {work.name} {i}"
                if image.format != "PNG" or image.size != (right.shape[1], right.shape[0]):
                    raise WrongPictureError(f"{what}: {image.format} of {image.size}")
                answers[work.name, i] = np.asarray(image.convert("RGB"))
                apart = _apart(answers[work.name, i], right)
                if np.mean(apart <= PIXEL_TOLERANCE) < SHARE:
                    raise WrongPictureError(f"{what}: off by up to {apart.max()} grey levels")
        return answers


def _apart(a: servers.Pixels, b: servers.Pixels) -> servers.Pixels:
    return np.maximum(a, b) - np.minimum(a, b)


def expected(model: servers.Model, work: Work, i: int) -> servers.Pixels:
    """The picture that answers the i-th request of a work."""
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


def ask(work: Work, i: int, port: int) -> bytes:
    """The answer to the i-th request of a work."""
    headers = {"Content-Type": work.content_type, "Accept": "image/png"}
    url = f"http://127.0.0.1:{port}{work.path}"
    request = urllib.request.Request(url, work.body(i), headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=120) as answer:
        return bytes(answer.read())
