"""Photographs at their full size: upright pixels and the colour profile, no other metadata."""

from dataclasses import dataclass

from PIL import Image

from app.images.decoding import OpenedImage, opened
from vae import color
from vae.color import Convert
from vae.preprocessing import averaged, exif_transpose_of
from vae.samples import SampleConversion

MODES = {1: "L", 3: "RGB"}  # by number of channels
BYTES_PER_PIXEL = 4  # of an image that Pillow holds


@dataclass(frozen=True)
class Colors:
    """How the colours of a photograph become sRGB, in which edits are made, and back."""

    to_srgb: Convert
    from_srgb: Convert


@dataclass(frozen=True)
class FullSizePhotograph:
    """A photograph with all its pixels.

    Attributes:
        image: upright, of mode ``L`` or ``RGB``, with no metadata.
        icc_profile: of these pixels; None if the file has none that fits them.
        colors: of these pixels; None if they are in sRGB.
    """

    image: Image.Image
    icc_profile: bytes | None
    colors: Colors | None = None


@dataclass(frozen=True)
class FullSizeHeader:
    """What the header of a photograph says.

    Attributes:
        width: as stored, in pixels.
        height: as stored, in pixels.
        memory: bytes that ``read`` takes at most, its result included.
    """

    width: int
    height: int
    memory: int


def read_header(data: bytes, max_pixels: int, max_memory: int) -> FullSizeHeader:
    """Size and memory of a photograph, without decoding it.

    Raises:
        UnsupportedImageError, ImageTooLargeError, CorruptImageError: as ``app.images.decoding``.
    """
    with opened(data, _keep_size, max_pixels, max_memory) as image:
        return FullSizeHeader(image.width, image.height, _memory(image))


def read(data: bytes, channels: int, max_pixels: int, max_memory: int) -> FullSizePhotograph:
    """The upright photograph at its full size.

    Its pixels stay as they are if they have the mode of the model's channels, and a colour profile
    or sRGB. Others are converted as ``vae.preprocessing`` does.

    Args:
        data: the file.
        channels: 1 for grey, 3 for RGB.
        max_pixels: largest width times height.
        max_memory: largest number of bytes that decoding may take.

    Raises:
        UnsupportedImageError, ImageTooLargeError, CorruptImageError, MemoryError: as
            ``app.images.decoding.read``.
    """
    with opened(data, _keep_size, max_pixels, max_memory) as image:
        file, mode = image.file, MODES[channels]
        transpose = exif_transpose_of(file)
        conversion = SampleConversion(file, channels)
        profile = file.info.get("icc_profile")
        to_srgb, from_srgb = color.to_srgb(file, mode), color.from_srgb(file, mode)
        colors = Colors(to_srgb, from_srgb) if to_srgb and from_srgb else None
        upright: Image.Image = file
        if conversion.keeps_samples and (colors is not None or to_srgb is None):
            file.load()
        else:
            upright = averaged(file, (0, 0, *file.size), (1, 1), channels)
            profile = colors = None
        if transpose is not None:
            upright = upright.transpose(transpose)
        upright.info = {}  # Pillow writes some of it into the files that it encodes
    fits = color.is_profile(profile, mode)
    return FullSizePhotograph(upright, profile if fits else None, colors)


def _keep_size(image: Image.Image) -> None:
    """The draft of an image that is decoded at its own size."""


def _memory(image: OpenedImage) -> int:
    """Bytes of decoding, and of a converted or transposed copy."""
    return image.memory + BYTES_PER_PIXEL * image.width * image.height
