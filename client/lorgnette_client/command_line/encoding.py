"""The latents of a folder of images, with a line that shows the progress."""

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lorgnette_client.client import Client
from lorgnette_client.errors import LorgnetteError

SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".avif",
    ".heic",
    ".heif",
)
THREADS = 4  # requests at a time, which the service makes batches of
REFUSED = (400, 413, 415, 422)  # statuses that are about the image


class RefusedImageError(ValueError):
    """The service refused an image; the message names its file."""


def image_files(source: Path) -> list[Path]:
    """The image itself, or the images in a folder and those below it, in the order of their names.

    Raises:
        ValueError: if there is none.
    """
    if not source.is_dir():
        return [source]
    files = sorted(
        path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not files:
        raise ValueError(f"{source}: no images, whose names end in {', '.join(SUFFIXES)}")
    return files


def encode_images(
    client: Client, files: Sequence[Path], out: Path, *, skip: bool, options: Mapping[str, Any]
) -> None:
    """Write the latents of images as ``(N, D)`` float32, and their names beside it.

    Args:
        client: of the service.
        files: images, in the order of the rows.
        out: ``.npy`` file; the names are written to the file that ends in ``.txt`` instead.
        skip: whether refused images are named and left out; else they are an error.
        options: of the requests.

    Raises:
        RefusedImageError: if an image is refused and not left out, or if all are.
    """

    def mean(path: Path) -> npt.NDArray[np.float32] | LorgnetteError:
        try:
            row: npt.NDArray[np.float32] = client.encode(path, **options).mean
        except LorgnetteError as error:
            if error.status not in REFUSED:
                raise
            return error
        return row

    rows: list[npt.NDArray[np.float32]] = []
    names: list[str] = []
    progress = Progress(len(files))
    with ThreadPoolExecutor(THREADS) as threads:
        try:
            for path, result in zip(files, threads.map(mean, files), strict=True):
                if isinstance(result, LorgnetteError):
                    if not skip:
                        raise RefusedImageError(f"{path}: {result}")
                    progress.note(f"{path}: {result}")
                else:
                    rows.append(result)
                    names.append(str(path))
                progress.advance()
        finally:
            progress.end()
            threads.shutdown(cancel_futures=True)
    if not rows:
        raise RefusedImageError("all images were refused")
    np.save(out, np.concatenate(rows), allow_pickle=False)
    out.with_suffix(".txt").write_text("".join(f"{name}\n" for name in names))


class Progress:
    """A line on a terminal with the images that are done; elsewhere there is none.

    Args:
        total: images.
    """

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._started = time.monotonic()
        self._shown = sys.stderr.isatty()

    def advance(self) -> None:
        """Count an image."""
        self._done += 1
        if self._shown:
            seconds = time.monotonic() - self._started
            left = seconds / self._done * (self._total - self._done)
            filled = 30 * self._done // self._total
            bar = "#" * filled + "-" * (30 - filled)
            counts = f"{self._done}/{self._total}, {self._done / max(seconds, 1e-3):.1f}/s"
            print(f"\r\x1b[K[{bar}] {counts}, {left:.0f} s left", end="", file=sys.stderr)

    def note(self, message: str) -> None:
        """Print a line above the progress."""
        print(f"\r\x1b[K{message}" if self._shown else message, file=sys.stderr)

    def end(self) -> None:
        """Leave the line."""
        if self._shown and self._done:
            print(file=sys.stderr)
