"""Pixels as tensors: uint8 0..255 outside the model, float 0..1 inside; and their number."""

import torch
from torch import Tensor
from torch.nn import functional as F


def to_float(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """uint8 ``(N, H, W, C)`` to float ``(N, C, H, W)`` in [0, 1], each value rounded once."""
    return images.permute(0, 3, 1, 2).to(dtype).div_(255.0)


def to_uint8(images: Tensor) -> Tensor:
    """Float ``(N, C, H, W)`` in [0, 1] to the nearest uint8 ``(N, H, W, C)``."""
    rounded = (images.float() * 255.0).round_().clamp_(0, 255)
    return rounded.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def resized(images: Tensor, size: int) -> Tensor:
    """Images ``(N, C, S, S)`` at ``size`` pixels a side, without aliasing."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
