"""Keeping a photograph's own pixels where an edit of its latent changes nothing."""

import numpy as np

from app.inference.engine import Pixels
from app.operations.pixels import to_pixels, to_tensor
from vae.preserve import PixelEdit, preserve_edit


def pixel_edit(original: Pixels, before: Pixels, after: Pixels, removal: float) -> PixelEdit:
    """What an edit changes in a photograph, as ``vae.preserve.preserve_edit``, with N = 1.

    Args:
        original: uint8 ``(S, S, C)``.
        before: decode of the original's latent, of the same shape.
        after: decode of the edited latent, of the same shape.
        removal: as of ``preserve_edit``.
    """
    return preserve_edit(to_tensor(original), to_tensor(before), to_tensor(after), removal)


def preserved(edit: PixelEdit, original: Pixels, after: Pixels, fraction: float) -> Pixels:
    """The edited photograph, blended with the plain decode.

    Args:
        edit: of the photograph, with N = 1.
        original: the photograph, uint8 ``(S, S, C)``.
        after: decode of the edited latent, of the same shape.
        fraction: 0..1, of the edited photograph; at 1 its pixels outside the mask are the
            original's.

    Returns:
        uint8 ``(S, S, C)``.
    """
    edited = to_pixels(edit.apply(to_tensor(original)))
    blended = after + fraction * (edited.astype(np.float32) - after)
    return blended.round().clip(0, 255).astype(np.uint8)


def mask_pixels(edit: PixelEdit) -> Pixels:
    """The mask of an edit with N = 1, uint8 ``(S, S, 1)``: 0 where nothing changes."""
    return to_pixels(edit.mask)
