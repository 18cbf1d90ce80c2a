"""An edit of an aligned crop, applied to the photograph that the crop was cut from.

The edit is resampled to the photograph's pixels, and the photograph is not resampled at all. It is
applied tile by tile, so that beside the photograph this takes little memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.images import alignment
from app.images.alignment import Points, Transform
from app.images.full_size import Colors

Plane = npt.NDArray[np.float32]

TILE = 512  # pixels a side of a part of the photograph that is edited at a time
MARGIN = 3  # pixels of the crop around a tile's part of it, for the resampling
FADE_FRACTION = 16  # of the crop's side: where a side of the crop lies in the photograph
SIDE_POINTS = 16  # of a side of the crop, that may lie in the photograph
MAX_UINT8 = 255


@dataclass(frozen=True)
class CropEdit:
    """What an edit makes of the pixels ``x`` of a crop: ``(1 - alpha) * x + color``.

    Attributes:
        alpha: float32 ``(S, S)`` in [0, 1], how much of the photograph is replaced.
        color: float32 ``(C, S, S)``, what is added to the rest, in grey levels of 0..255.
        mask: float32 ``(S, S)`` in [0, 1], where anything changes.
    """

    alpha: Plane
    color: Plane
    mask: Plane

    @property
    def planes(self) -> list[Plane]:
        """Mask, alpha and the channels of the colour."""
        return [self.mask, self.alpha, *self.color]


def apply(
    image: Image.Image, edit: CropEdit, transform: Transform, colors: Colors | None = None
) -> None:
    """Edit a photograph in place; where the resampled mask is 0, pixels stay as they are.

    Where the photograph has more pixels than the crop, the edit is interpolated (bicubic); where it
    has fewer, the edit is averaged. Where a side of the crop lies in the photograph, the edit fades
    out towards it.

    Args:
        image: upright, of mode ``L`` or ``RGB``.
        edit: with as many channels as the image.
        transform: from pixels of the photograph to pixels of the crop.
        colors: of a photograph that is not in sRGB.
    """
    size = len(edit.mask)
    to_photograph = alignment.inverse(transform)
    fade = _fade(size, to_photograph, image.size)
    planes = [plane * fade for plane in edit.planes]
    # Photograph pixels per crop pixel along the sides of the crop.
    scales = np.linalg.norm(to_photograph[:, :2], axis=0)
    columns, rows = (max(1, round(size * min(1.0, float(scale)))) for scale in scales)
    planes = [_averaged(plane, (columns, rows)) for plane in planes]
    to_planes = alignment.compose(
        np.array([[columns / size, 0, 0], [0, rows / size, 0]]), transform
    )
    factors = math.ceil(max(1.0, float(scales[0]))), math.ceil(max(1.0, float(scales[1])))
    for box in _tiles(planes[0], alignment.inverse(to_planes), image.size):
        tile = image.crop(box)
        edited = _edited_tile(tile, box, planes, to_planes, factors, colors)
        if edited is not None:
            image.paste(edited, box[:2])


def _fade(size: int, to_photograph: Transform, photograph: tuple[int, int]) -> Plane:
    """Weights ``(S, S)``: 1, and towards the sides of the crop that lie in the photograph 0."""
    ramp = np.minimum(1.0, (np.arange(size) + 0.5) / max(1, size // FADE_FRACTION))
    ramp = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    along = np.linspace(0, size, SIDE_POINTS)
    fade = np.ones((size, size), np.float32)
    for distance in (0.0, float(size)):
        across = np.full(SIDE_POINTS, distance)
        weights = ramp if distance == 0 else ramp[::-1]
        if _lies_within(np.column_stack([across, along]), to_photograph, photograph):
            fade *= weights
        if _lies_within(np.column_stack([along, across]), to_photograph, photograph):
            fade *= weights[:, None]
    return fade


def _lies_within(side: Points, to_photograph: Transform, photograph: tuple[int, int]) -> bool:
    """Whether a point of a side of the crop is more than a pixel within the photograph."""
    points = alignment.apply(to_photograph, side)
    return bool(((points > 1) & (points < np.array(photograph) - 1)).all(axis=1).any())


def _averaged(plane: Plane, size: tuple[int, int]) -> Plane:
    """A plane at a size that is not larger."""
    if size == plane.shape[::-1]:
        return plane
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))


def _tiles(
    mask: Plane, to_photograph: Transform, photograph: tuple[int, int]
) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of the photograph that together contain all that the mask changes."""
    rows, columns = np.nonzero(mask > 0)
    if len(rows) == 0:
        return
    left, top, right, bottom = _bounds(
        (columns.min() - 2, rows.min() - 2, columns.max() + 3, rows.max() + 3), to_photograph
    )
    right, bottom = min(right, photograph[0]), min(bottom, photograph[1])
    for y in range(max(0, top), bottom, TILE):
        for x in range(max(0, left), right, TILE):
            yield x, y, min(x + TILE, right), min(y + TILE, bottom)


def _edited_tile(
    tile: Image.Image,
    box: tuple[int, int, int, int],
    planes: list[Plane],
    to_planes: Transform,
    factors: tuple[int, int],
    colors: Colors | None,
) -> Image.Image | None:
    """The part of an image in a box, edited; None where nothing changes.

    Args:
        tile: that part.
        box: left, top, right and bottom.
        planes: of the edit, as of ``CropEdit.planes``.
        to_planes: from pixels of the image to pixels of the planes.
        factors: by which the planes are enlarged in x and y before they are turned.
        colors: see ``apply``.
    """
    height, width = planes[0].shape
    left, top, right, bottom = _bounds(box, to_planes)
    left, top = max(0, left - MARGIN), max(0, top - MARGIN)
    right, bottom = min(width, right + MARGIN), min(height, bottom + MARGIN)
    if left >= right or top >= bottom or not (planes[0][top:bottom, left:right] > 0).any():
        return None
    enlarged = (right - left) * factors[0], (bottom - top) * factors[1]
    # From pixels of the tile to pixels of the enlarged part of a plane.
    offset = np.array([[1, 0, box[0]], [0, 1, box[1]]], np.float64)
    enlarge = np.array([[factors[0], 0, -factors[0] * left], [0, factors[1], -factors[1] * top]])
    coefficients = alignment.compose(enlarge, alignment.compose(to_planes, offset))

    def warped(plane: Plane) -> Plane:
        part = plane[top:bottom, left:right]
        if not part.any():
            return np.zeros((tile.height, tile.width), np.float32)
        large = Image.fromarray(part).resize(enlarged, Image.Resampling.BICUBIC)
        affine, data = Image.Transform.AFFINE, tuple(coefficients.ravel().tolist())
        return np.asarray(large.transform(tile.size, affine, data, Image.Resampling.BILINEAR))

    mask = warped(planes[0]) > 0
    if not mask.any():
        return None
    alpha = mask * warped(planes[1]).clip(0, 1)
    x = np.asarray(tile if colors is None else colors.to_srgb(tile).convert(tile.mode))
    edited = np.empty_like(x).reshape(*mask.shape, -1)
    for channel, color in enumerate(planes[2:]):
        level = x.reshape(edited.shape)[..., channel].astype(np.float32)
        level += mask * warped(color) - alpha * level  # exactly 0 where the mask is 0
        edited[..., channel] = level.round(out=level).clip(0, MAX_UINT8, out=level)
    result = Image.fromarray(edited.reshape(x.shape))
    return result if colors is None else _in_own_colors(result, tile, mask, colors)


def _in_own_colors(
    edited: Image.Image, tile: Image.Image, mask: npt.NDArray[np.bool_], colors: Colors
) -> Image.Image:
    """A tile edited in sRGB, in its own colours; where the mask is 0, the pixels of the tile."""
    own = colors.from_srgb(edited.convert("RGB"))
    return Image.composite(own, tile, Image.fromarray(mask))


def _bounds(box: tuple[int, int, int, int], transform: Transform) -> tuple[int, int, int, int]:
    """The smallest box of whole pixels around a box that is transformed."""
    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [left, bottom], [right, bottom]], np.float64)
    moved = alignment.apply(transform, corners)
    (x0, y0), (x1, y1) = np.floor(moved.min(0)).astype(int), np.ceil(moved.max(0)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)
