"""What may be sent as an image, made into the bytes of an image file."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Picture: TypeAlias = bytes | str | os.PathLike[str] | BinaryIO | Image.Image | npt.NDArray[np.uint8]
"""The bytes of an image file, its path, the file opened in binary mode, a Pillow image, or an array
of ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` uint8: grey, RGB or RGBA."""

Pictures: TypeAlias = Picture | Sequence[Picture]

PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")


def image_file(picture: Picture) -> bytes:
    """The image as a file.

    Bytes, paths and open files are sent as they are: the service reads PNG, JPEG, WebP, AVIF, HEIC,
    GIF, BMP and TIFF, and the latent in a PNG that it made.

    Raises:
        OSError: if a file cannot be read.
        TypeError, ValueError: if it is none of these forms.
    """
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | os.PathLike):
        return Path(picture).read_bytes()
    if isinstance(picture, Image.Image):
        return _pillow_file(picture)
    if isinstance(picture, np.ndarray):
        return _pillow_file(_from_array(picture))
    return _read(picture)


def _read(file: Any) -> bytes:
    if not hasattr(file, "read"):
        raise TypeError(
            f"{type(file).__name__} is not an image; pass bytes, a path, a file opened in binary "
            "mode, a Pillow image or a uint8 array"
        )
    content = file.read()
    if not isinstance(content, bytes):
        raise TypeError("the file is opened as text; open it in binary mode, 'rb'")
    return content


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    if array.dtype != np.uint8:
        raise TypeError(f"an image array must be uint8, not {array.dtype}")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(
            f"an image array must be (H, W), (H, W, 3) or (H, W, 4), not {array.shape}; pass "
            "several as a list"
        )
    return Image.fromarray(array)


def _pillow_file(image: Image.Image) -> bytes:
    """A PNG, or a TIFF for modes that PNG lacks, such as CMYK; upright, with its colour profile."""
    stream = io.BytesIO()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in PNG_MODES:
        upright.save(stream, "PNG", compress_level=1)
    else:
        upright.save(stream, "TIFF")
    return stream.getvalue()
