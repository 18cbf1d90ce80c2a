"""Picture bytes from anyone to uint8 arrays of the model's shape, safely."""

import io
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from app import embedded

Fit = Literal["crop", "pad", "stretch"]
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

Image.MAX_IMAGE_PIXELS = None  # the limit is checked below, by our own setting


class CorruptPictureError(Exception):
    """The bytes begin like a picture but cannot be read to their end."""


class UnknownPictureError(Exception):
    """The bytes are not of a picture format that is read."""


class TooManyPixelsError(Exception):
    """The picture is larger than is read."""


@dataclass(frozen=True)
class Picture:
    """A picture as a model sees it.

    Attributes:
        pixels: uint8 ``(S, S, C)``.
        origin: what the picture carries about itself, if it is one of ours and unchanged.
    """

    pixels: npt.NDArray[np.uint8]
    origin: embedded.Embedded | None


def read(data: bytes, size: int, channels: int, fit: Fit, max_pixels: int) -> Picture:
    """Decode a picture and fit it to ``(size, size, channels)``.

    The format is told by the bytes. The first frame counts; EXIF orientation is applied; alpha goes
    onto white; palette, grey, 16-bit and CMYK become 8-bit grey or RGB.

    Args:
        data: the file.
        size: pixels a side.
        channels: 1 or 3.
        fit: ``crop`` cuts a centred square, ``pad`` adds white margins, ``stretch`` distorts.
        max_pixels: largest width times height.

    Raises:
        UnknownPictureError: if no reader knows the bytes.
        TooManyPixelsError: if it is larger than ``max_pixels``; nothing was decoded.
        CorruptPictureError: if decoding fails.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata, which we do not use
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise TooManyPixelsError(
                        f"the picture has {image.width} x {image.height} pixels; "
                        f"at most {max_pixels} are read"
                    )
                note = image.info.get(embedded.KEYWORD) if image.format == "PNG" else None
                image.draft("RGB" if channels == 3 else "L", (2 * size, 2 * size))
                whole = _flatten(ImageOps.exif_transpose(image), channels)
        except UnidentifiedImageError:
            raise UnknownPictureError(
                f"not a picture that is read; send one of {', '.join(FORMATS)}"
            ) from None
        except TooManyPixelsError:
            raise
        except Exception as error:  # Pillow's readers raise what they like on hostile bytes
            raise CorruptPictureError(f"the picture is corrupt or truncated ({error})") from None
    if whole.size == (size, size):
        pixels = _array(whole)
        return Picture(pixels, embedded.read(note, pixels))
    return Picture(_array(_fitted(whole, size, fit)), None)


def _flatten(image: Image.Image, channels: int) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        if image.mode.startswith("I;16") or values.max() > 255:  # 16 bits a sample
            values = values / 257.0
        image = Image.fromarray(np.nan_to_num(values).clip(0, 255).round().astype(np.uint8))
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB" if channels == 3 else "L")


def _fitted(image: Image.Image, size: int, fit: Fit) -> Image.Image:
    square, resample = (size, size), Image.Resampling.LANCZOS
    match fit:
        case "crop":
            return ImageOps.fit(image, square, resample)
        case "pad":
            return ImageOps.pad(image, square, resample, color="white")
        case "stretch":
            return image.resize(square, resample)


def _array(image: Image.Image) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]
