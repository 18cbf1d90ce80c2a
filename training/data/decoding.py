"""A source decoded once into one uint8 array on the disk.

Epochs read rows of a memory-mapped ``.npy``, which is as fast on the thousandth epoch as on the
second, holds data sets larger than memory, and makes the order of images a matter of seeds alone.
"""

import hashlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import UnidentifiedImageError

from training import progress
from training.data import image_cache
from training.data.dataset import DataError, Dataset
from training.data.entry import Entry
from training.data.files import text_of
from training.data.sources import Source, read_entries
from vae.preprocessing import to_square

log = logging.getLogger(__name__)

MAX_CORRUPT_FRACTION = 0.01
MAX_NAMED = 10  # corrupt images named beyond those that are tolerated
Check = Callable[[Dataset, Dataset], object]  # of the train and the test split
READER = 3  # changes when images are read to other pixels than before

# Pillow warns of unusual metadata, which is not used. Set once: ``warnings.catch_warnings`` is not
# thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")


def prepare(
    path: Path,
    source: Source,
    size: int,
    channels: int,
    cache: Path,
    needs_test: bool = False,
    check: Check | None = None,
) -> tuple[Dataset, Dataset]:
    """Decode a source once and open it.

    Args:
        path: the folder or ``.zip``.
        source: what kind it is; ``auto`` looks for ``manifest.csv`` and for CelebA's list of
            attributes, else takes the folders as splits and classes.
        size: pixels a side; images are cropped to a centred square and resized.
        channels: 1 (grey) or 3 (RGB).
        cache: folder for the decoded images; reused while the source stays as it was.
        needs_test: whether there must be test images.
        check: raises an error if the labels are not those that are needed. It is called before the
            images are decoded, with splits whose images have no pixels, and after it.

    Returns:
        the train and the test split.

    Raises:
        DataError: if nothing is found, a split that is needed has no images, labels are not
            readable, or more than 1% of the images are missing or corrupt.
    """
    entries, exclusive = read_entries(path, source)
    if not entries:
        raise DataError(f"{path}: no images found")
    name = text_of(path.resolve().name)

    def splits(
        kept: Sequence[Entry], images: npt.NDArray[np.uint8], sha256: str
    ) -> tuple[Dataset, Dataset]:
        _check_splits(path, kept, needs_test)
        train, test = (_split(kept, t, images, exclusive, name, sha256) for t in (False, True))
        if check is not None:
            check(train, test)
        return train, test

    splits(entries, np.empty((len(entries), 0, 0, channels), np.uint8), "")
    _check_present(path, entries)
    readable, sha256 = _decoded(entries, path, size, channels, cache)
    if len(readable) < len(entries):
        log.warning(_limit(len(entries) - len(readable), len(entries)))
    images = np.load(cache / image_cache.PIXELS, mmap_mode="r")
    return splits([entries[i] for i in readable], images, sha256)


def _check_splits(path: Path, entries: Sequence[Entry], needs_test: bool) -> None:
    if all(entry.is_test for entry in entries):
        raise DataError(f"{path}: no image is in the train split")
    if needs_test and not any(entry.is_test for entry in entries):
        raise DataError(f"{path}: no image is in the test split, on which figures are measured")


def _check_present(path: Path, entries: Sequence[Entry]) -> None:
    absent = [entry.name for entry in entries if not entry.version]
    if len(absent) > _tolerated(entries):
        raise DataError(
            f"{path}: {len(absent)} of {len(entries)} images are not there; at most "
            f"{MAX_CORRUPT_FRACTION:.0%} may be missing. The first is {absent[0]}"
        )


def _decoded(
    entries: Sequence[Entry], path: Path, size: int, channels: int, cache: Path
) -> tuple[list[int], str]:
    """Which entries are readable, and the hash of their pixels; decodes them if need be."""
    fingerprint = _fingerprint(entries, path, size, channels)
    cached = image_cache.read(cache, fingerprint)
    if cached is not None:
        return cached
    shape = (len(entries), size, size, channels)
    images = decoded(entries, path, size, channels)
    with progress.task("Decoding images", len(entries)) as decoding:
        return image_cache.write(cache, fingerprint, shape, decoding.each(images))


def decoded(
    entries: Sequence[Entry], path: Path, size: int, channels: int
) -> Iterator[npt.NDArray[np.uint8] | None]:
    """The images in order, uint8 ``(size, size, channels)``.

    In place of a corrupt one there is None, and a warning names it.

    Args:
        entries: what to decode.
        path: where they come from, for messages.
        size: pixels a side.
        channels: 1 or 3.

    Raises:
        DataError: after the last image, if more than 1% are corrupt.
    """

    def pixels(entry: Entry) -> npt.NDArray[np.uint8] | Exception:
        try:
            with entry.read() as image:
                return to_square(image, size, channels)
        except Exception as error:  # Pillow's decoders raise many kinds on damaged files
            return error

    most = _tolerated(entries)
    corrupt: list[str] = []
    with ThreadPoolExecutor() as pool:
        for entry, image in zip(entries, pool.map(pixels, entries), strict=True):
            if isinstance(image, Exception):
                corrupt.append(f"{entry.name}: {_reason(image)}")
                if len(corrupt) <= most + MAX_NAMED:
                    log.warning("skipped %s", corrupt[-1])
                yield None
            else:
                yield image
    if len(corrupt) > most:
        limit = _limit(len(corrupt), len(entries))
        raise DataError(f"{path}: {limit}. The first is {corrupt[0]}")


def _tolerated(entries: Sequence[Entry]) -> int:
    """The number of images that may be missing or corrupt."""
    return int(MAX_CORRUPT_FRACTION * len(entries))


def _limit(corrupt: int, count: int) -> str:
    return f"{corrupt} of {count} images are corrupt; at most {MAX_CORRUPT_FRACTION:.0%} may be"


def _reason(error: Exception) -> str:
    """What an exception says, in one line, with its type where that helps."""
    if isinstance(error, UnidentifiedImageError):
        return "it is in no known image format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    return text if isinstance(error, DataError) else f"{text} ({type(error).__name__})".lstrip()


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
    digest = hashlib.sha256(os.fsencode(path.resolve()) + f" {size} {channels} {READER}".encode())
    for entry in entries:
        facts = (entry.name, entry.version, entry.is_test, entry.labels, entry.tags)
        digest.update(repr(facts).encode())
    return digest.hexdigest()
