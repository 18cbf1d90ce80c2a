"""Colours of image files to sRGB: by their ICC profile, or by gamma and chromaticities of a PNG.

Profiles are applied by LittleCMS, with relative colorimetric intent and black point compensation.
Gamma and chromaticities: PNG, third edition (W3C 2025), sections 11.3.2.1 and 11.3.2.2. The sRGB
transfer function and primaries: IEC 61966-2-1.
"""

import io
from collections.abc import Callable
from typing import Literal, TypeGuard

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Convert = Callable[[Image.Image], Image.Image]
Matrix = npt.NDArray[np.float64]

MAX_PROFILE_BYTES = 2**20  # larger ones are left aside
PROFILE_HEADER_LENGTH = 128
PROFILE_CLASS, PROFILE_SPACE, PROFILE_SIGNATURE = slice(12, 16), slice(16, 20), slice(36, 40)
PROFILE_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
PROFILE_SPACES = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}  # ICC.1:2022, table 19
MAX_TAGS = 100  # as in LittleCMS
TAG_LENGTH = 12
PIPELINE_TAGS = (b"D2B", b"B2D")  # of any number of stages, each of which costs time
GRID = np.linspace(0, 255, 9).round().astype(np.uint8)
SAME = 1  # grey levels: a profile that changes none by more is that of sRGB

SRGB_GAMMA, GAMMA_TOLERANCE = 1 / 2.2, 0.01  # which files in sRGB declare
MIN_GAMMA, MAX_GAMMA = 0.1, 10.0
SRGB_CHROMATICITIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # white, red, green, blue
CHROMATICITY_TOLERANCE = 0.002
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def to_srgb(image: Image.Image, mode: str) -> Convert | None:
    """What converts pixels of an image to sRGB.

    Args:
        image: whose metadata decide; it need not be loaded.
        mode: of the pixels that are converted: ``L``, ``RGB``, ``CMYK`` or ``LAB``.

    Returns:
        from an image of that mode to one of mode ``RGB``; None if the pixels are in sRGB, or if
        nothing that can be read says otherwise.
    """
    if mode == "LAB":
        return _transform(_built_in("LAB"), mode)
    profile = image.info.get("icc_profile")
    if is_profile(profile, mode):
        return _profile_to_srgb(profile, mode)
    if "srgb" in image.info or profile or mode not in ("L", "RGB"):
        return None
    return _chunks_to_srgb(image.info.get("gamma"), image.info.get("chromaticity"), mode)


def from_srgb(image: Image.Image, mode: str) -> Convert | None:
    """The inverse of ``to_srgb`` for an image with a profile, to an image of ``mode``.

    None if the image is in sRGB, or if its profile has no inverse.
    """
    profile = image.info.get("icc_profile")
    if not is_profile(profile, mode) or _profile_to_srgb(profile, mode) is None:
        return None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return _apply(_built_in("sRGB"), opened, "RGB", mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def is_profile(profile: object, mode: str) -> TypeGuard[bytes]:
    """Whether this is a colour profile of pixels of a mode, of bounded size and cost."""
    if not isinstance(profile, bytes) or not (
        PROFILE_HEADER_LENGTH + 4 <= len(profile) <= MAX_PROFILE_BYTES
        and profile[PROFILE_SIGNATURE] == b"acsp"
        and profile[PROFILE_CLASS] in PROFILE_CLASSES
        and profile[PROFILE_SPACE] == PROFILE_SPACES.get(mode)
    ):
        return False
    start = PROFILE_HEADER_LENGTH + 4
    count = int.from_bytes(profile[PROFILE_HEADER_LENGTH:start], "big")
    tags = (profile[start + TAG_LENGTH * i : start + TAG_LENGTH * i + 3] for i in range(count))
    return count <= MAX_TAGS and not any(tag in PIPELINE_TAGS for tag in tags)


def _profile_to_srgb(profile: bytes, mode: str) -> Convert | None:
    try:
        convert = _transform(ImageCms.ImageCmsProfile(io.BytesIO(profile)), mode)
        samples = _grid(mode)
        if mode == "CMYK":
            return convert
        before = np.asarray(samples.convert("RGB"), np.int16)
        after = np.asarray(convert(samples), np.int16)
    except (ImageCms.PyCMSError, OSError, ValueError):  # damaged: left aside
        return None
    return convert if np.abs(after - before).max() > SAME else None


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> Convert:
    return _apply(profile, _built_in("sRGB"), mode, "RGB")


def _built_in(name: Literal["LAB", "sRGB"]) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name))


def _apply(
    source: ImageCms.ImageCmsProfile,
    target: ImageCms.ImageCmsProfile,
    source_mode: str,
    target_mode: str,
) -> Convert:
    transform = ImageCms.buildTransform(
        source,
        target,
        source_mode,
        target_mode,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )

    def convert(image: Image.Image) -> Image.Image:
        return transform.apply(image)

    return convert


def _grid(mode: str) -> Image.Image:
    """Colours all over the space of a mode."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    axes = np.meshgrid(GRID, GRID, GRID)
    return Image.fromarray(np.stack(axes, -1).reshape(1, -1, 3)).convert(mode)


def _chunks_to_srgb(gamma: object, chromaticities: object, mode: str) -> Convert | None:
    """By the chunks gAMA and cHRM of a PNG; None if they describe sRGB."""
    exponent = _exponent(gamma)
    matrix = _matrix(chromaticities) if mode == "RGB" else None
    if exponent is None and matrix is None:
        return None
    levels = np.arange(256) / 255
    linear = _linear(levels) if exponent is None else levels**exponent
    if matrix is None:
        table = (255 * _encoded(linear)).round().astype(int).tolist()
        return lambda image: image.point(table * len(image.getbands())).convert("RGB")
    lookup, to_linear = linear.astype(np.float32), matrix.T.astype(np.float32)

    def convert(image: Image.Image) -> Image.Image:
        values = lookup[np.asarray(image)] @ to_linear
        return Image.fromarray((255 * _encoded(values)).round().astype(np.uint8))

    return convert


def _exponent(gamma: object) -> float | None:
    """From levels to linear light; None for the transfer function of sRGB."""
    if not isinstance(gamma, float) or not MIN_GAMMA <= gamma <= MAX_GAMMA:
        return None
    return None if abs(gamma - SRGB_GAMMA) < GAMMA_TOLERANCE else 1 / gamma


def _matrix(chromaticities: object) -> Matrix | None:
    """From linear light in these primaries to linear sRGB, ``(3, 3)``; None for sRGB's own."""
    if not isinstance(chromaticities, tuple) or len(chromaticities) != len(SRGB_CHROMATICITIES):
        return None
    if np.allclose(chromaticities, SRGB_CHROMATICITIES, rtol=0, atol=CHROMATICITY_TOLERANCE):
        return None
    try:
        own, srgb = _to_xyz(chromaticities), _to_xyz(SRGB_CHROMATICITIES)
        cones, target = BRADFORD @ own.sum(1), BRADFORD @ srgb.sum(1)
        adapt = np.linalg.inv(BRADFORD) @ np.diag(target / cones) @ BRADFORD
        matrix: Matrix = np.linalg.inv(srgb) @ adapt @ own
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None
    return matrix if np.isfinite(matrix).all() else None


def _to_xyz(chromaticities: tuple[float, ...]) -> Matrix:
    """From linear light in these primaries to XYZ, so that white has Y = 1.

    Raises:
        LinAlgError, ZeroDivisionError: if they are no primaries.
    """
    white, *primaries = np.array(chromaticities, np.float64).reshape(4, 2)
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in map(_floats, primaries)]).T
    x, y = _floats(white)
    result: Matrix = columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])
    return result


def _floats(pair: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])  # whose division by zero is an error


def _linear(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The inverse of ``_encoded``."""
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def _encoded(linear: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The transfer function of sRGB, from linear light to 0..1; beyond its range it is clipped."""
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
