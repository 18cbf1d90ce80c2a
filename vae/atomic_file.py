"""Files that are written whole: the old content or the new one, never a part."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file next to ``path``; at the end flush it to the disk, and rename it to ``path``.

    If the body raises, ``path`` stays as it was. A process that is killed leaves a hidden file,
    which ``remove_partial`` removes.

    Raises:
        OSError: if it cannot be written; it names ``path``.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.filename not in (None, str(partial)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(path: Path) -> None:
    """Remove what processes that were killed while they wrote ``path`` have left beside it."""
    for partial in path.parent.glob(f".{path.name}.*"):
        partial.unlink(missing_ok=True)
