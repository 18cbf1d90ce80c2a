"""Pixels of one image as a tensor for ``vae``, and back."""

import numpy as np
import torch
from torch import Tensor

from app.inference.engine import Pixels


def to_tensor(pixels: Pixels) -> Tensor:
    """uint8 ``(S, S, C)`` as float32 ``(1, C, S, S)`` in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def to_pixels(x: Tensor) -> Pixels:
    """The first image of a batch in [0, 1], uint8 ``(S, S, C)``."""
    return (255 * x[0]).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
