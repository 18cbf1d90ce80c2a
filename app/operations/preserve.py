"""Keeping a photograph's own pixels where an edit of its latent changes nothing."""

import numpy as np
import torch
from torch import Tensor

from app.inference.engine import Pixels
from vae.preserve import PixelEdit, preserve_edit


def pixel_edit(original: Pixels, before: Pixels, after: Pixels, removal: float) -> PixelEdit:
    """What an edit changes in a photograph, as ``vae.preserve.preserve_edit``, with N = 1.

    Args:
        original: uint8 ``(S, S, C)``.
        before: decode of the original's latent, of the same shape.
        after: decode of the edited latent, of the same shape.
        removal: as of ``preserve_edit``.
    """
    return preserve_edit(_to_tensor(original), _to_tensor(before), _to_tensor(after), removal)


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
    edited = _to_pixels(edit.apply(_to_tensor(original)))
    blended = after + fraction * (edited.astype(np.float32) - after)
    return blended.round().clip(0, 255).astype(np.uint8)


def mask_pixels(edit: PixelEdit) -> Pixels:
    """The mask of an edit with N = 1, uint8 ``(S, S, 1)``: 0 where nothing changes."""
    return _to_pixels(edit.mask)


def _to_tensor(pixels: Pixels) -> Tensor:
    """Float32 ``(1, C, S, S)`` in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def _to_pixels(x: Tensor) -> Pixels:
    """The first image of a batch in [0, 1], uint8 ``(S, S, C)``."""
    return (255 * x[0]).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
