"""Whether a system draws the right pictures, before its speed is worth anything."""

import io
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.servers import work as servers
from benchmarks.works import WORKS, Work, jpeg

CHECKED = 2  # requests of each work
GREY_LEVELS = 2  # by which a pixel may differ: sums are rounded in another order in other batches


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

    def run(self, system: str, port: int, keep: Path | None = None) -> int:
        """Ask each work a few times and compare every pixel.

        Args:
            system: its name.
            port: where it listens.
            keep: a folder for one answer of each work, to be looked at.

        Returns:
            the largest difference, in grey levels.

        Raises:
            WrongPictureError: if an answer is no PNG, or not this picture.
        """
        worst = 0
        for work in self._works:
            for i in range(CHECKED):
                data = ask(work, i, port)
                if keep is not None and i == 0:
                    (keep / f"{system}-{work.name}.png").write_bytes(data)
                what = f"{system}, {work.name} {i}"
                worst = max(worst, self._apart(what, data, self._expected[work.name, i]))
        return worst

    def _apart(self, what: str, data: bytes, expected: servers.Pixels) -> int:
        image = Image.open(io.BytesIO(data))
        if image.format != "PNG" or image.size != (expected.shape[1], expected.shape[0]):
            raise WrongPictureError(f"{what}: {image.format} of {image.size}")
        given = np.asarray(image.convert("RGB"), dtype=np.int16)
        difference = int(np.abs(given - expected).max())
        if difference > GREY_LEVELS:
            raise WrongPictureError(f"{what}: off by up to {difference} grey levels")
        return difference


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
