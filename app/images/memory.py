"""Memory that was freed, given back to the system."""

import ctypes
from collections.abc import Callable

_trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim_heap() -> None:
    """Give back what decoders have freed; glibc would keep it for the thread that freed it."""
    if _trim is not None:
        _trim(0)
