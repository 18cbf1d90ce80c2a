"""Photographs at their full size: upright pixels and the colour profile, no other metadata."""

from dataclasses import dataclass

from PIL import Image, ImageFile

from app.images.decoding import OpenedImage, opened
from vae.preprocessing import averaged, exif_transpose_of

MODES = {1: "L", 3: "RGB"}  # by number of channels
BYTES_PER_PIXEL = 4  # of an image that Pillow holds
PROFILE_SPACES = {"L": b"GRAY", "RGB": b"RGB "}  # by mode: ICC.1:2022, table 19
PROFILE_HEADER_LENGTH = 128
PROFILE_SPACE = slice(16, 20)
PROFILE_SIGNATURE = slice(36, 40)


@dataclass(frozen=True)
class FullSizePhotograph:
    """A photograph with all its pixels.

    Attributes:
        image: upright, of mode ``L`` or ``RGB``, with no metadata.
        icc_profile: of these pixels; None if the file has none that fits their mode.
    """

    image: Image.Image
    icc_profile: bytes | None


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
    """The upright photograph, converted as ``vae.preprocessing`` does, at its full size.

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
        profile = file.info.get("icc_profile")
        transpose = exif_transpose_of(file)
        file.load()
        upright: Image.Image = file
        if file.mode != mode or "transparency" in file.info:
            upright = averaged(file, (0, 0, *file.size), (1, 1), channels)
        if transpose is not None:
            upright = upright.transpose(transpose)
        upright.info = {}  # Pillow writes some of it into the files that it encodes
    return FullSizePhotograph(upright, profile if _fits(profile, mode) else None)


def _keep_size(image: ImageFile.ImageFile) -> None:
    """The draft of an image that is decoded at its own size."""


def _memory(image: OpenedImage) -> int:
    """Bytes of decoding, and of a converted or transposed copy."""
    return image.memory + BYTES_PER_PIXEL * image.width * image.height


def _fits(profile: object, mode: str) -> bool:
    """Whether this is a colour profile of images of a mode."""
    return (
        isinstance(profile, bytes)
        and len(profile) >= PROFILE_HEADER_LENGTH
        and profile[PROFILE_SIGNATURE] == b"acsp"
        and profile[PROFILE_SPACE] == PROFILE_SPACES[mode]
    )
