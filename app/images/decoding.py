"""Decodes untrusted image files to uint8 arrays of the model's shape."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from app.images import alignment, guards, jpeg_segments, png, provenance
from app.images.alignment import Transform
from app.images.errors import CorruptImageError, ImageError, ImageTooLargeError
from app.images.formats import open_image
from app.images.helper_image import HelperImage
from app.images.provenance import ImageProvenance
from vae.image_files import prepare
from vae.preprocessing import (
    Fit,
    draft_size,
    stored_transpose,
    to_square,
    use_stored_size,
)

BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # others: 4
DECODER_BYTES_PER_PIXEL = {"WEBP": 20, "TIFF": 12}  # the image and what its decoder needs besides

Draft = Callable[[Image.Image], object]  # sets the size at which an image is decoded

Image.MAX_IMAGE_PIXELS = None  # the limits are settings, checked below
# Pillow warns of unusual metadata, which is not used. Set once: ``warnings.catch_warnings`` is not
# thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class InputImage:
    """An image that a client sent, as a model sees it.

    Attributes:
        pixels: uint8 ``(S, S, C)``.
        transform: from pixels of the upright image that was sent to these pixels.
        provenance: of an image that this service made and nobody changed, else None.
    """

    pixels: npt.NDArray[np.uint8]
    transform: Transform
    provenance: ImageProvenance | None


def estimate_memory(data: bytes, size: int, max_pixels: int, max_memory: int) -> int:
    """The most memory in bytes that ``read`` takes, estimated from the header without decoding.

    Raises:
        UnsupportedImageError: as ``read``.
        ImageTooLargeError: as ``read``.
        CorruptImageError: as ``read``.
    """
    with opened(data, partial(draft_size, size=size), max_pixels, max_memory) as image:
        return image.memory


def read(
    data: bytes,
    size: int,
    channels: int,
    fit: Fit,
    max_pixels: int,
    max_memory: int = 2**63,
) -> InputImage:
    """Decode an image and resize it to ``(size, size, channels)``, see ``to_square``.

    The format is recognised from the bytes. Of several frames the first is used.

    Args:
        data: the file.
        size: pixels a side.
        channels: 1 or 3.
        fit: ``crop`` takes the centred square, ``pad`` adds white margins, ``stretch`` distorts.
        max_pixels: largest width times height.
        max_memory: largest number of bytes that decoding may take.

    Raises:
        UnsupportedImageError: if the bytes are not of a supported format.
        ImageTooLargeError: if it has more than ``max_pixels`` or takes more than ``max_memory``;
            nothing was decoded.
        CorruptImageError: if decoding fails.
        MemoryError: if there is not enough memory at the moment.
    """
    with opened(data, partial(draft_size, size=size), max_pixels, max_memory) as image:
        text = _provenance_text(image.file, size)
        transform = image.fitted(size, fit)
        pixels = to_square(image.file, size, channels, fit)
    made = None if text is None else provenance.read(text, pixels)
    return InputImage(pixels, transform, made)


def read_generated(
    data: bytes, size: int, channels: int, max_pixels: int, max_memory: int
) -> InputImage | None:
    """As ``read``, an image that this service made and nobody changed; None for any other."""
    if not data.startswith(png.SIGNATURE):
        return None
    with opened(data, partial(draft_size, size=size), max_pixels, max_memory) as image:
        text = _provenance_text(image.file, size)
        if text is None:
            return None
        transform = image.fitted(size, "crop")
        pixels = to_square(image.file, size, channels)
    found = provenance.read(text, pixels)
    return None if found is None else InputImage(pixels, transform, found)


def _provenance_text(image: Image.Image, size: int) -> object:
    """The text chunk of a PNG of the model's size."""
    if image.format != "PNG" or image.size != (size, size):
        return None
    return image.info.get(provenance.KEYWORD)


@dataclass(frozen=True)
class OpenedImage:
    """An image file whose header was checked.

    Attributes:
        file: not decoded yet.
        width: as stored in the file, in pixels; ``file`` may be decoded smaller.
        height: as stored in the file, in pixels.
        memory: bytes that decoding takes.
    """

    file: Image.Image
    width: int
    height: int
    memory: int

    @property
    def transpose(self) -> Image.Transpose | None:
        """The transpose that turns ``file`` upright; before ``exif_transpose_of`` only."""
        return stored_transpose(self.file)

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after EXIF orientation; as ``transpose``."""
        if self.transpose in alignment.SWAPPING:
            return self.height, self.width
        return self.width, self.height

    def fitted(self, size: int, fit: Fit) -> Transform:
        """From pixels of the upright image to those of ``to_square``; as ``transpose``."""
        return alignment.fitted_upright(self.transpose, self.width, self.height, size, fit)


@contextmanager
def opened(data: bytes, draft: Draft, max_pixels: int, max_memory: int) -> Iterator[OpenedImage]:
    """An image file, checked by its header.

    Args:
        data: the file.
        draft: sets the size at which the image is decoded.
        max_pixels: largest width times height.
        max_memory: largest number of bytes that decoding may take.

    Raises:
        UnsupportedImageError, ImageTooLargeError, CorruptImageError, MemoryError: as ``read``,
            also for what goes wrong within the context.
    """
    try:
        image, copied = open_image(data, max_memory)
        with image:
            use_stored_size(image)
            width, height = image.size
            if width * height > max_pixels:
                raise ImageTooLargeError(
                    f"the image has {width} x {height} pixels; at most {max_pixels} are accepted"
                )
            draft(image)
            memory = copied + _memory(image, data, width * height)
            if memory > max_memory:
                raise ImageTooLargeError(
                    f"decoding {width} x {height} pixels of {image.format} takes {memory} bytes; "
                    f"the limit is {max_memory}; send it smaller, or as JPEG"
                )
            yield OpenedImage(image, width, height, memory)
    except (ImageError, MemoryError):
        raise
    except guards.StructureLimitError as error:
        raise CorruptImageError(f"the image is refused: {error}") from None
    except Exception as error:  # Pillow raises errors of many types on malformed files
        raise CorruptImageError(f"the image is corrupt or truncated ({error})") from None


def _memory(image: Image.Image, data: bytes, area: int) -> int:
    """Bytes that decoding takes; for a JPEG more, since it costs time where it saves memory.

    Args:
        image: with the size at which it is decoded.
        data: the file.
        area: pixels that are stored.
    """
    if isinstance(image, HelperImage):
        return image.memory
    if image.format == "JPEG":
        coefficients = 2 * area * len(image.getbands())
        buffered = coefficients if jpeg_segments.count_scans(data) > 1 else area // 2
        return buffered + 4 * image.width * image.height
    if image.format == "TIFF":
        if image.info.get("compression") == "raw":
            return 4 * area
        area = max(area, _tile_area(image))
    by_mode = BYTES_PER_PIXEL.get(image.mode, 4)
    if prepare(image).low_bytes is not None:  # decoded twice
        by_mode *= 2
    return area * DECODER_BYTES_PER_PIXEL.get(image.format or "", by_mode)


def _tile_area(image: Image.Image) -> int:
    """Pixels in a tile of a TIFF; a tile is decoded whole even if it exceeds the image."""
    fields = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    width, height = (fields.get(tag, 0) for tag in guards.TILE_SIZE_TAGS)
    return int(width) * int(height)
