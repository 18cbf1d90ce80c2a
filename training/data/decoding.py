"""A source decoded once into one uint8 array on the disk.

Epochs read rows of a memory-mapped ``.npy``, which is as fast on the thousandth epoch as on the
second, holds data sets larger than memory, and makes the order of images a matter of seeds alone.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data import image_cache
from training.data.dataset import DataError, Dataset
from training.data.sources import Entry, Source, read_entries
from vae.preprocessing import to_square

log = logging.getLogger(__name__)

MAX_CORRUPT_FRACTION = 0.01


def prepare(
    path: Path,
    source: Source,
    size: int,
    channels: int,
    cache: Path,
    needs_test: bool = False,
) -> tuple[Dataset, Dataset]:
    """Decode a source once and open it.

    Args:
        path: the folder or ``.zip``.
        source: what kind it is; ``auto`` looks for ``manifest.csv`` and for CelebA's list of
            attributes, else takes class folders.
        size: pixels a side; images are cropped to a centred square and resized.
        channels: 1 (grey) or 3 (RGB).
        cache: folder for the decoded images; reused while the source stays as it was.
        needs_test: whether there must be test images.

    Returns:
        the train and the test split.

    Raises:
        DataError: if nothing is found, a split that is needed has no images, labels are not
            readable, or more than 1% of the images are corrupt.
    """
    entries, exclusive = read_entries(path, source)
    if not entries:
        raise DataError(f"{path}: no images found")
    _check_splits(path, entries, needs_test)  # before hours of decoding, and after it
    readable, sha256 = _decoded(entries, path, size, channels, cache)
    entries = [entries[i] for i in readable]
    _check_splits(path, entries, needs_test)
    images = np.load(cache / image_cache.PIXELS, mmap_mode="r")
    name = path.resolve().name
    train, test = (
        _split(entries, is_test, images, exclusive, name, sha256) for is_test in (False, True)
    )
    return train, test


def _check_splits(path: Path, entries: Sequence[Entry], needs_test: bool) -> None:
    if all(entry.is_test for entry in entries):
        raise DataError(f"{path}: no image is in the train split")
    if needs_test and not any(entry.is_test for entry in entries):
        raise DataError(f"{path}: no image is in the test split, on which figures are measured")


def _decoded(
    entries: Sequence[Entry], path: Path, size: int, channels: int, cache: Path
) -> tuple[list[int], str]:
    """Which entries are readable, and the hash of their pixels; decodes them if need be."""
    fingerprint = _fingerprint(entries, path, size, channels)
    cached = image_cache.read(cache, fingerprint)
    if cached is not None:
        return cached
    shape = (len(entries), size, size, channels)
    return image_cache.write(cache, fingerprint, shape, _decode(entries, size, channels))


def _decode(
    entries: Sequence[Entry], size: int, channels: int
) -> Iterator[npt.NDArray[np.uint8] | None]:
    """The pixels of each image, or None where it is corrupt."""

    def pixels(entry: Entry) -> npt.NDArray[np.uint8] | None:
        try:
            with entry.read() as image:
                return to_square(image, size, channels)
        except Exception as error:  # Pillow's decoders raise many kinds on damaged files
            log.warning("skipped %s: %s", entry.name, error)
            return None

    corrupt = 0
    with ThreadPoolExecutor() as pool:
        for image in pool.map(pixels, entries):
            corrupt += image is None
            yield image
    if corrupt > MAX_CORRUPT_FRACTION * len(entries):
        raise DataError(f"{corrupt} of {len(entries)} images are corrupt (named above)")


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
