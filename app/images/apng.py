"""Encodes uint8 arrays as an animated PNG, one image at a time.

PNG, third edition (W3C 2025): acTL in section 11.3.6.1, fcTL in 11.3.6.2, fdAT in 11.3.6.3.
"""

import struct

import numpy as np
import numpy.typing as npt

from app.images import png
from app.images.animation import Animation

DISPOSE_NONE, BLEND_SOURCE = 0, 0


class ApngWriter:
    """The parts of an animated PNG, in order.

    Each image is complete in itself, as in ``png.encode``. Joined, the parts are the file.

    Args:
        count: images that will be added, at least 1.
        animation: how they are played.
    """

    def __init__(self, count: int, animation: Animation) -> None:
        self._count, self._animation = count, animation
        self._sequence_number = 0
        self._shape = (0, 0, 0)
        self._compressed: list[bytes] = []  # images that are played again backwards

    def add(self, pixels: npt.NDArray[np.uint8]) -> bytes:
        """The part of the next image.

        Args:
            pixels: uint8 ``(H, W, C)`` with C 1 (grey) or 3 (RGB), all of one shape.
        """
        compressed = png.compress(pixels)
        start = b""
        if self._sequence_number == 0:
            self._shape = pixels.shape
            played = self._animation.played(self._count)
            control = struct.pack(">II", played, self._animation.loop)
            height, width, channels = pixels.shape
            start = png.SIGNATURE + png.header(width, height, channels)
            start += png.chunk(b"acTL", control)
            frame = self._frame_control() + png.chunk(b"IDAT", compressed)
        else:
            frame = self._frame(compressed)
        if self._animation.bounce:
            self._compressed.append(compressed)
        return start + frame

    def finish(self) -> bytes:
        """The part after the last image."""
        backwards = self._animation.backwards(self._count)
        frames = [self._frame(self._compressed[i]) for i in backwards]
        return b"".join((*frames, png.chunk(b"IEND", b"")))

    def _frame(self, compressed: bytes) -> bytes:
        control = self._frame_control()
        return control + png.chunk(b"fdAT", struct.pack(">I", self._next_number()) + compressed)

    def _frame_control(self) -> bytes:
        height, width, _ = self._shape
        seconds = self._animation.seconds
        size = self._next_number(), width, height, 0, 0
        delay = seconds.numerator, seconds.denominator
        return png.chunk(
            b"fcTL", struct.pack(">IIIIIHHBB", *size, *delay, DISPOSE_NONE, BLEND_SOURCE)
        )

    def _next_number(self) -> int:
        self._sequence_number += 1
        return self._sequence_number - 1
