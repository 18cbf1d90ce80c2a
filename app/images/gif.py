"""Encodes uint8 arrays as an animated GIF with one palette, one image at a time.

GIF89a (CompuServe 1990): section 18 to 22 for the blocks; the application extension NETSCAPE2.0 for
the loop count. Pillow chooses the palette, maps pixels to it and compresses them (LZW).
"""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.images.animation import Animation

COLORS = 256
COLOR_BITS = 8
MAX_PALETTE_IMAGES = 8  # that the palette is made from
PALETTE_STEP = 2  # every second row and column of them
GLOBAL_PALETTE = 0x80 | (COLOR_BITS - 1) << 4 | (COLOR_BITS - 1)
KEEP = 1 << 2  # disposal method: the next image is drawn over this one
TRAILER = b";"


def palette_positions(count: int) -> list[int]:
    """The images that the palette is made from, by their position among ``count`` images.

    They are evenly spaced, with the first and the last, and at most half of the images where there
    are more than four, so that the file can begin before the others are there.
    """
    chosen = min(count, max(2, min(MAX_PALETTE_IMAGES, count // 2)))
    if chosen == 1:
        return [0]
    return [i * (count - 1) // (chosen - 1) for i in range(chosen)]


class GifWriter:
    """The parts of an animated GIF, in order. Joined, they are the file.

    Args:
        palette_images: uint8 ``(H, W, C)``, at least one, from which the palette is made.
        count: images that will be added, at least 1.
        animation: how they are played.
    """

    def __init__(
        self,
        palette_images: Sequence[npt.NDArray[np.uint8]],
        count: int,
        animation: Animation,
    ) -> None:
        self._count, self._animation = count, animation
        self._played = 0
        self._compressed: list[bytes] = []  # images that are played again backwards
        self._palette = _palette(palette_images)

    def add(self, pixels: npt.NDArray[np.uint8]) -> bytes:
        """The part of the next image.

        Args:
            pixels: uint8 ``(H, W, C)`` with C 1 (grey) or 3 (RGB), all of one shape.
        """
        height, width, _ = pixels.shape
        data = _indexed(pixels, self._palette).tobytes("gif", "P")
        descriptor = struct.pack("<cHHHHB", b",", 0, 0, width, height, 0)
        compressed = b"".join((descriptor, bytes([COLOR_BITS]), data, b"\0"))
        start = self._start(width, height) if self._played == 0 else b""
        if self._animation.bounce:
            self._compressed.append(compressed)
        return start + self._frame(compressed)

    def finish(self) -> bytes:
        """The part after the last image."""
        backwards = self._animation.backwards(self._count)
        return b"".join((*(self._frame(self._compressed[i]) for i in backwards), TRAILER))

    def _start(self, width: int, height: int) -> bytes:
        screen = b"GIF89a" + struct.pack("<HHBBB", width, height, GLOBAL_PALETTE, 0, 0)
        loop = self._animation.loop
        if loop == 1:  # without the extension it is played once
            return screen + _table(self._palette)
        # The extension has the number of repetitions after the first time.
        repetitions = struct.pack("<BBHB", 3, 1, max(0, loop - 1), 0)
        return screen + _table(self._palette) + b"!\xff\x0bNETSCAPE2.0" + repetitions

    def _frame(self, compressed: bytes) -> bytes:
        delay = self._animation.centiseconds(self._played)
        self._played += 1
        return b"!\xf9" + struct.pack("<BBHBB", 4, KEEP, delay, 0, 0) + compressed


def _palette(images: Sequence[npt.NDArray[np.uint8]]) -> Image.Image | None:
    """An image whose palette fits these images; None for grey ones, whose values are the indices.

    An octree is a hundred times as fast as a median cut, with the same error on faces.
    """
    if images[0].shape[2] == 1:
        return None
    pixels = np.concatenate([image[::PALETTE_STEP, ::PALETTE_STEP] for image in images])
    return Image.fromarray(pixels).quantize(COLORS, Image.Quantize.FASTOCTREE)


def _table(palette: Image.Image | None) -> bytes:
    """The colour table, 256 times red, green and blue."""
    if palette is None:
        return np.repeat(np.arange(COLORS, dtype=np.uint8), 3).tobytes()
    return bytes(palette.getpalette() or []).ljust(3 * COLORS, b"\0")


def _indexed(pixels: npt.NDArray[np.uint8], palette: Image.Image | None) -> Image.Image:
    """The image as indices into the palette, of mode ``P``."""
    if palette is None:
        image = Image.fromarray(pixels[:, :, 0])
        image.putpalette(_table(None))
        return image
    return Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.NONE)
