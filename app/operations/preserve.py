"""Keeping what the model cannot reconstruct of an image that is edited."""

import numpy as np

from app.inference.engine import Pixels


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
