"""A source decoded once into one uint8 array on the disk.

Epochs read rows of a memory-mapped ``.npy``, which is as fast on the thousandth epoch as on the
second, holds data sets larger than memory, and makes the order of images a matter of seeds alone.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training import progress
from training.data.dataset import DataError, Dataset
from training.data.sources import Entry, Source, read_entries
from vae.preprocessing import to_square

log = logging.getLogger(__name__)

PIXELS, INDEX = "images.npy", "images.json"
MAX_CORRUPT_FRACTION = 0.01


def prepare(
    path: Path, source: Source, size: int, channels: int, cache: Path
) -> tuple[Dataset, Dataset]:
    """Decode a source once and open it.

    Args:
        path: the folder or ``.zip``.
        source: what kind it is; ``auto`` looks for ``manifest.csv`` and for CelebA's list of
            attributes, else takes class folders.
        size: pixels a side; images are cropped to a centred square and resized.
        channels: 1 (grey) or 3 (RGB).
        cache: folder for the decoded images; reused while the source stays as it was.

    Returns:
        the train and the test split.

    Raises:
        DataError: if nothing is found, labels are not readable, or more than 1% of the images are
            corrupt.
    """
    entries, exclusive = read_entries(path, source)
    if not entries:
        raise DataError(f"{path}: no images found")
    readable, sha256 = _decoded(entries, path, size, channels, cache)
    entries = [entries[i] for i in readable]
    images = np.load(cache / PIXELS, mmap_mode="r")
    name = path.resolve().name
    train, test = (
        _split(entries, is_test, images, exclusive, name, sha256) for is_test in (False, True)
    )
    if not len(train):
        raise DataError(f"{path}: no image is in the train split")
    return train, test


def _decoded(
    entries: Sequence[Entry], path: Path, size: int, channels: int, cache: Path
) -> tuple[list[int], str]:
    """Which entries are readable, and the hash of their pixels; decodes them if need be."""
    fingerprint = _fingerprint(entries, path, size, channels)
    file = cache / INDEX
    index = json.loads(file.read_text()) if file.is_file() else {}
    if index.get("fingerprint") != fingerprint:
        cache.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        readable = _decode(entries, size, channels, cache / PIXELS)
        sha256 = _file_hash(cache / PIXELS)
        index = {"fingerprint": fingerprint, "readable": readable, "sha256": sha256}
        file.write_text(json.dumps(index))
    return index["readable"], index["sha256"]


def _decode(entries: Sequence[Entry], size: int, channels: int, file: Path) -> list[int]:
    """Write the readable images to a file; returns which entries they are."""

    def pixels(entry: Entry) -> npt.NDArray[np.uint8] | None:
        try:
            with entry.read() as image:
                return to_square(image, size, channels)
        except Exception as error:  # Pillow's decoders raise many kinds on damaged files
            log.warning("skipped %s: %s", entry.name, error)
            return None

    shape = (len(entries), size, size, channels)
    target = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
    readable: list[int] = []
    with (
        progress.task("Decoding images", len(entries)) as decoding,
        ThreadPoolExecutor() as pool,
    ):
        for i, image in enumerate(pool.map(pixels, entries)):
            decoding.update(i + 1)
            if image is not None:
                target[len(readable)] = image
                readable.append(i)
    target.flush()
    corrupt = len(entries) - len(readable)
    if corrupt > MAX_CORRUPT_FRACTION * len(entries):
        raise DataError(f"{corrupt} of {len(entries)} images are corrupt (named above)")
    return readable


def _split(
    entries: Sequence[Entry],
    is_test: bool,
    images: npt.NDArray[np.uint8],
    exclusive: bool,
    name: str,
    sha256: str,
) -> Dataset:
    rows = np.array([i for i, e in enumerate(entries) if e.is_test is is_test], dtype=np.int64)
    chosen = [entries[i] for i in rows]
    labels = {
        k: np.array([e.labels[k] for e in chosen], dtype=np.float32) for k in entries[0].labels
    }
    tags = {k: [e.tags[k] for e in chosen] for k in entries[0].tags}
    return Dataset(images, rows, labels, tags, exclusive, name, sha256)


def _fingerprint(entries: Sequence[Entry], path: Path, size: int, channels: int) -> str:
    digest = hashlib.sha256(f"{path.resolve()} {size} {channels}".encode())
    for entry in entries:
        facts = (entry.name, entry.version, entry.is_test, entry.labels, entry.tags)
        digest.update(repr(facts).encode())
    return digest.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
