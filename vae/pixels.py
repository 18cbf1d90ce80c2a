"""The one place that knows the pixel range: bytes 0..255 outside, floats 0..1 inside."""

import torch
from torch import Tensor


def to_float(pictures: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """uint8 ``(N, H, W, C)`` to float ``(N, C, H, W)`` in [0, 1], each value rounded once."""
    return pictures.permute(0, 3, 1, 2).to(dtype).div_(255.0)


def to_uint8(pictures: Tensor) -> Tensor:
    """Float ``(N, C, H, W)`` in [0, 1] to the nearest uint8 ``(N, H, W, C)``."""
    rounded = (pictures.float() * 255.0).round_().clamp_(0, 255)
    return rounded.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
