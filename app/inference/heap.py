"""Returns freed memory to the operating system."""

import ctypes
from collections.abc import Callable

_malloc_trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim_heap() -> None:
    """Return what threads have freed; glibc would keep it for the thread that freed it."""
    if _malloc_trim is not None:
        _malloc_trim(0)
