"""The mask of an image: which of its pixels, as the model sees them, are unknown."""

import numpy as np
import numpy.typing as npt
import torch

from app.images import photograph
from app.images.alignment import Transform
from app.images.photograph import Header
from app.operations.context import Context, ImageField, located
from app.operations.operands import OperandError
from vae.filters import dilate

THRESHOLD = 128  # grey levels from here on are unknown
BLENDED = 2  # pixels around the unknown part that a resized image mixes with it

Mask = npt.NDArray[np.bool_]


async def read_unknown(
    context: Context, image: ImageField, mask: ImageField, transform: Transform
) -> Mask:
    """Where an image is unknown, ``(S, S)``.

    Args:
        context: of the request.
        image: the file of the image, with its path in the request.
        mask: the file of the mask, with its path: white where the image is unknown. It has the
            size of the image, or ``S`` x ``S`` pixels for the image as the model sees it.
        transform: from pixels of the upright image to those that the model sees. If it resizes or
            turns the image, the unknown part grows by ``BLENDED`` pixels.

    Raises:
        OperandError: if the mask has another size, or leaves nothing to fill in or nothing to keep.
        ImageFileTooLargeError, decoding errors: as ``app.operations.read_images``.
    """
    limits, config = context.limits, context.model.checkpoint.model.config
    sizes = limits.max_image_pixels, limits.max_image_memory
    limits.check_bytes([mask])
    read_header = located(lambda data: photograph.read_header(data, *sizes))
    header, of_mask = await context.image_pool.map(read_header, [image, mask])
    identity = np.eye(2, 3)
    to_square = _to_square(of_mask, header, config.size, transform, mask)
    read_levels = located(
        lambda data: photograph.read_face(data, to_square, config.size, 1, *sizes)
    )
    large = limits.is_large(of_mask.face_memory)
    [levels] = await context.image_pool.map(read_levels, [mask], serial=large)
    unknown = levels[..., 0] >= THRESHOLD
    if not unknown.any():
        raise OperandError(
            mask[0], "the mask is black everywhere; what is to be filled in is white"
        )
    if not np.allclose(transform, identity):
        unknown = _grown(unknown)
    if unknown.all():
        raise OperandError(
            mask[0],
            "the mask is white everywhere, so that nothing of the image is known; what is to be "
            "kept is black, and /sample makes images of nothing",
        )
    return unknown


def _to_square(
    of_mask: Header, header: Header, size: int, transform: Transform, mask: ImageField
) -> Transform:
    """From pixels of the mask to those that the model sees."""
    sides = of_mask.width, of_mask.height
    if sides == (header.width, header.height):
        return transform
    if sides == (size, size):
        return np.eye(2, 3)
    raise OperandError(
        mask[0],
        f"the mask has {sides[0]} x {sides[1]} pixels; it must have those of the image, "
        f"{header.width} x {header.height}, or those of the model's images, {size} x {size}",
    )


def _grown(unknown: Mask) -> Mask:
    mask = torch.from_numpy(unknown).float()[None, None]
    return np.asarray(dilate(mask, BLENDED)[0, 0].numpy() > 0)
