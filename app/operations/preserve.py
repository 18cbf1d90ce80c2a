"""Keeping what the model cannot reconstruct of an image that is edited."""

import numpy as np
import torch
from torch import Tensor

from app.inference.engine import Pixels
from vae.preserve import PixelEdit, preserve_edit


def preserve(edited: Pixels, reconstruction: Pixels, original: Pixels, fraction: float) -> Pixels:
    """``edited + fraction * (original - reconstruction)``, rounded and clipped to 0..255.

    Args:
        edited: decode of the edited latent, uint8 ``(S, S, C)``.
        reconstruction: decode of the original's latent, of the same shape.
        original: of the same shape.
        fraction: 0..1.

    Returns:
        uint8 ``(S, S, C)``.
    """
    residual = original.astype(np.float32) - reconstruction.astype(np.float32)
    return (edited + fraction * residual).round().clip(0, 255).astype(np.uint8)


def pixel_edit(original: Pixels, before: Pixels, after: Pixels) -> PixelEdit:
    """What an edit changes in a photograph, as ``vae.preserve.preserve_edit``, with N = 1.

    Args:
        original: uint8 ``(S, S, C)``.
        before: decode of the original's latent, of the same shape.
        after: decode of the edited latent, of the same shape.
    """
    return preserve_edit(*map(_to_tensor, (original, before, after)))


def _to_tensor(pixels: Pixels) -> Tensor:
    """Float32 ``(1, C, S, S)`` in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
