"""An image of a source that has not been decoded yet."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Entry:
    """One image of a source that has not been decoded yet.

    Attributes:
        name: within the source.
        version: changes when the file does: its size and time of change, or its checksum.
        read: opens it.
        is_test: whether it is in the test split.
        labels: by name; NaN where unknown.
        tags: words, by name.
    """

    name: str
    version: str
    read: Callable[[], Image.Image]
    is_test: bool
    labels: dict[str, float]
    tags: dict[str, str]
