"""Photographs in which a face is looked for: a reduced copy, and the aligned face.

A photograph is decoded twice, and nothing but the copy is kept meanwhile. The copy is small enough
to be searched in a bounded time; the face is then cut from as many pixels as it needs.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.images import alignment
from app.images.alignment import Transform
from app.images.decoding import opened
from vae.preprocessing import averaged, exif_transpose_of

COPY_SIDE = 1000  # pixels: the longer side of the copy, at most
MAX_FACE_PIXELS = 6_000_000  # of a JPEG that is decoded for its face; more are averaged
MEMORY_PER_PIXEL = 8  # bytes: memory limit over the pixels of a JPEG that are decoded, at least
JPEG_REDUCTIONS = (8, 4, 2, 1)  # that the decoder has


@dataclass(frozen=True)
class Header:
    """What the header of a photograph says.

    Attributes:
        width: of the upright photograph, in pixels.
        height: of the upright photograph, in pixels.
        copy_memory: bytes that ``read_copy`` takes, its result included.
        face_memory: bytes that ``read_face`` takes, at most.
    """

    width: int
    height: int
    copy_memory: int
    face_memory: int

    @property
    def copy_scale(self) -> tuple[float, float]:
        """Pixels of the photograph per pixel of its copy, in x and in y."""
        width, height = _copy_size(self.width, self.height)
        return self.width / width, self.height / height


def read_header(data: bytes, max_pixels: int, max_memory: int) -> Header:
    """Size and memory of a photograph, without decoding it.

    Raises:
        UnsupportedImageError, ImageTooLargeError, CorruptImageError: as ``app.images.decoding``.
    """
    for_face = partial(_draft_for_face, reduction=1.0, max_memory=max_memory)
    with opened(data, for_face, max_pixels, max_memory) as image:
        face_memory = image.memory
    with opened(
        data, partial(_draft_for_copy, max_memory=max_memory), max_pixels, max_memory
    ) as image:
        copy_memory, (width, height) = image.memory, image.upright_size
    copy_memory += 3 * math.prod(_copy_size(width, height))
    return Header(width, height, copy_memory, face_memory)


def read_copy(data: bytes, max_pixels: int, max_memory: int) -> npt.NDArray[np.uint8]:
    """The upright photograph, its longer side at most ``COPY_SIDE``, as uint8 RGB ``(H, W, 3)``.

    Raises:
        UnsupportedImageError, ImageTooLargeError, CorruptImageError, MemoryError: as
            ``app.images.decoding.read``.
    """
    with opened(
        data, partial(_draft_for_copy, max_memory=max_memory), max_pixels, max_memory
    ) as image:
        transpose = exif_transpose_of(image.file)
        width, height = image.file.size
        factor = max(1, max(width, height) // COPY_SIDE)
        copy = averaged(image.file, (0, 0, width, height), (factor, factor), 3)
        extent = (0, 0, width / factor, height / factor)
        copy = copy.resize(_copy_size(image.width, image.height), Image.Resampling.BILINEAR, extent)
        if transpose is not None:
            copy = copy.transpose(transpose)
    return np.array(copy, dtype=np.uint8)


def read_face(
    data: bytes,
    transform: Transform,
    size: int,
    channels: int,
    max_pixels: int,
    max_memory: int,
) -> npt.NDArray[np.uint8]:
    """A square of a photograph, turned and scaled; beyond its edges the edge is repeated.

    Args:
        data: the file.
        transform: from pixels of the upright photograph to pixels of the square, as of
            ``app.images.alignment``.
        size: pixels a side of the square.
        channels: 1 for grey, 3 for RGB.
        max_pixels: largest width times height.
        max_memory: largest number of bytes that decoding may take.

    Returns:
        uint8 ``(size, size, channels)``.

    Raises:
        UnsupportedImageError, ImageTooLargeError, CorruptImageError, MemoryError: as
            ``app.images.decoding.read``.
    """
    draft = partial(_draft_for_face, reduction=_reduction(transform), max_memory=max_memory)
    with opened(data, draft, max_pixels, max_memory) as image:
        transpose = exif_transpose_of(image.file)
        to_unit = alignment.upright(transpose, *image.file.size)
        width, height = image.width, image.height
        if transpose in alignment.SWAPPING:
            width, height = height, width
        to_pixels = np.array([[width, 0, 0], [0, height, 0]], np.float64)
        to_square = alignment.compose(transform, alignment.compose(to_pixels, to_unit))
        square = _cut(image.file, to_square, size, channels)
    return np.asarray(square, dtype=np.uint8).reshape(size, size, channels)


def _copy_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, COPY_SIDE / max(width, height))
    return max(1, round(scale * width)), max(1, round(scale * height))


def _cut(image: Image.Image, to_square: Transform, size: int, channels: int) -> Image.Image:
    """The square of a decoded image; only its part of the image is converted."""
    factor = max(1, round(_reduction(to_square)))
    to_image = alignment.inverse(to_square)
    corners = alignment.apply(to_image, size * np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]]))
    # In blocks of ``factor`` pixels; two more on each side, for the resampling.
    start = (np.floor(corners.min(0) / factor) - 2).astype(int)
    stop = (np.ceil(corners.max(0) / factor) + 2).astype(int)
    counts = -(-np.array(image.size) // factor)
    first, last = start.clip(0, counts - 1), stop.clip(1, counts)
    last = np.maximum(last, first + 1)
    box = (*(first * factor).tolist(), *np.minimum(last * factor, image.size).tolist())
    part = averaged(image, box, (factor, factor), channels)
    columns, rows = (
        (np.arange(start[i], stop[i]) - first[i]).clip(0, part.size[i] - 1) for i in (0, 1)
    )
    blocks = Image.fromarray(np.asarray(part)[rows[:, None], columns])
    to_blocks = alignment.compose(
        np.column_stack([np.eye(2) / factor, -start.astype(np.float64)]), to_image
    )
    coefficients = tuple(to_blocks.ravel().tolist())
    affine = Image.Transform.AFFINE
    return blocks.transform((size, size), affine, coefficients, Image.Resampling.BICUBIC)


def _reduction(transform: Transform) -> float:
    """Pixels of the source per pixel of the result, a side."""
    return float(1 / math.sqrt(max(1e-12, abs(np.linalg.det(transform[:, :2])))))


def _draft_for_copy(image: Image.Image, max_memory: int) -> None:
    max_pixels = max_memory // MEMORY_PER_PIXEL
    _draft(image, max(image.size) / COPY_SIDE, math.sqrt(math.prod(image.size) / max_pixels))


def _draft_for_face(image: Image.Image, reduction: float, max_memory: int) -> None:
    """Decode no smaller than the face needs, unless that is too large."""
    max_pixels = min(MAX_FACE_PIXELS, max_memory // MEMORY_PER_PIXEL)
    _draft(image, reduction, math.sqrt(math.prod(image.size) / max_pixels))


def _draft(image: Image.Image, most: float, least: float) -> None:
    """Let a JPEG be decoded at a fraction of its size; others do not change.

    Args:
        image: not decoded yet.
        most: reduction of a side that is not exceeded, unless ``least`` does.
        least: reduction of a side, as far as the decoder can.
    """
    factor = max(
        max(n for n in JPEG_REDUCTIONS if n <= max(1.0, most)),
        min((n for n in JPEG_REDUCTIONS if n >= least), default=max(JPEG_REDUCTIONS)),
    )
    image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))
