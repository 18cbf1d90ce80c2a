"""Encodes images as PNG, JPEG or WebP files."""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.images import png
from app.images.errors import ImageTooLargeError

FileFormat = Literal["png", "jpeg", "webp"]

DEFAULT_QUALITY = 90
MAX_SIDES = {"jpeg": 65_500, "webp": 16_383}  # pixels; of libjpeg and of the WebP format
WEBP_METHOD = 2  # of 0, the fastest, to 6, the smallest
# The image itself and what its encoder needs besides, at most.
ENCODER_BYTES_PER_PIXEL = {"png": 11, "jpeg": 8, "webp": 12}


@dataclass(frozen=True)
class Encoding:
    """How an image becomes a file.

    Attributes:
        format: of the file.
        quality: of a JPEG or WebP, 1 to 100; a PNG is lossless.
    """

    format: FileFormat = "png"
    quality: int = DEFAULT_QUALITY

    def check_size(self, width: int, height: int) -> None:
        """Refuse an image that the format cannot hold.

        Raises:
            ImageTooLargeError: if a side is too long.
        """
        limit = MAX_SIDES.get(self.format)
        if limit is not None and max(width, height) > limit:
            raise ImageTooLargeError(
                f"the response would have {width} x {height} pixels; {self.format} files have at "
                f"most {limit} a side; choose png"
            )

    def memory(self, width: int, height: int) -> int:
        """Bytes that an image and its encoder take at most."""
        return ENCODER_BYTES_PER_PIXEL[self.format] * width * height


def encode(image: Image.Image, encoding: Encoding, icc_profile: bytes | None = None) -> bytes:
    """An image as a file without other metadata than the colour profile.

    Args:
        image: of mode ``L`` or ``RGB``, with an empty ``info``.
        encoding: of the file.
        icc_profile: of the image's mode. The WebP of a grey image is RGB and gets none.
    """
    if encoding.format == "png":
        return png.encode_image(image, icc_profile)
    options: dict[str, object] = {"quality": encoding.quality}
    if encoding.format == "webp":
        options["method"] = WEBP_METHOD
        if image.mode == "L":
            icc_profile = None
    stream = io.BytesIO()
    image.save(stream, encoding.format, icc_profile=icc_profile, **options)
    return stream.getvalue()


def encode_pixels(pixels: npt.NDArray[np.uint8], encoding: Encoding) -> bytes:
    """Pixels as a file without metadata.

    Args:
        pixels: uint8 ``(H, W, C)`` with C 1 (grey) or 3 (RGB).
        encoding: of the file.
    """
    if encoding.format == "png":
        return png.encode(pixels)
    return encode(Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels), encoding)
