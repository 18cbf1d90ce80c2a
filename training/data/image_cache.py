"""Decoded images on the disk: written whole, and made anew when they are damaged."""

import errno
import hashlib
import json
import logging
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from vae.atomic_file import atomic_write

log = logging.getLogger(__name__)

PIXELS, INDEX = "images.npy", "images.json"


def read(folder: Path, fingerprint: str) -> tuple[list[int], str] | None:
    """What ``write`` returned for this fingerprint.

    The pixels are hashed again if their file was changed after it was written.

    Returns:
        None if the cache is of another source, damaged (a warning says so), or not there.
    """
    if not (folder / INDEX).is_file():
        return None
    try:
        index = json.loads((folder / INDEX).read_text())
        if index["fingerprint"] != fingerprint:
            return None
        readable: list[int] = index["readable"]
        sha256: str = index["sha256"]
        if index.get("state") != _state(folder):
            if _file_hash(folder / PIXELS) != sha256:
                raise ValueError("it is not as it was written")
            _write_index(folder, fingerprint, readable, sha256)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is damaged and is made anew: %s", folder / PIXELS, error)
        return None
    return readable, sha256


def write(
    folder: Path,
    fingerprint: str,
    shape: tuple[int, int, int, int],
    images: Iterable[npt.NDArray[np.uint8] | None],
) -> tuple[list[int], str]:
    """Write images to ``images.npy``, from its first row on.

    Space for all of them is allocated first, and nothing is written through a memory map: where the
    disk is full, that is an ``OSError`` and not a bus error.

    Args:
        folder: where to write.
        fingerprint: of the source.
        shape: ``(N, S, S, C)`` for N images.
        images: N times uint8 ``(S, S, C)``, or None for one that is left out.

    Returns:
        the numbers of the images that were not left out, and the hash of the file.

    Raises:
        OSError: if it cannot be written; the files are then as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    readable = []
    with atomic_write(folder / PIXELS) as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        end = file.tell() + math.prod(shape)
        _allocate(file, end)
        for number, image in enumerate(images):
            if image is not None:
                file.write(image.tobytes())
                readable.append(number)
        file.truncate(end)
    sha256 = _file_hash(folder / PIXELS)
    _write_index(folder, fingerprint, readable, sha256)
    return readable, sha256


def _allocate(file: BinaryIO, size: int) -> None:
    """Reserve space on the disk, where the system can."""
    if not hasattr(os, "posix_fallocate"):
        return
    file.flush()
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # not on this file system
            return
        reason = f"{error.strerror}; the decoded images take {size / 1e6:,.1f} MB"
        raise OSError(error.errno, reason) from None


def _write_index(folder: Path, fingerprint: str, readable: list[int], sha256: str) -> None:
    index = {
        "fingerprint": fingerprint,
        "readable": readable,
        "sha256": sha256,
        "state": _state(folder),
    }
    with atomic_write(folder / INDEX) as file:
        file.write(json.dumps(index).encode())


def _state(folder: Path) -> list[int]:
    """Size and time of change of the pixels' file."""
    status = (folder / PIXELS).stat()
    return [status.st_size, status.st_mtime_ns]


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
