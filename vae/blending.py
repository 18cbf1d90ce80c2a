"""Fitting a decode into a photograph: its colours and its grain, beside the pixels that are kept.

Images are float32 ``(N, C, S, S)`` in [0, 1], masks ``(N, 1, S, S)`` with the values 0 and 1.
Lengths are given for 256 pixels a side; ``unit`` is the side over 256.
"""

import torch
from torch import Tensor

from vae.filters import dilate, gaussian_blur, interpolate

MAX_OFFSET = 0.35  # between photograph and decode that is taken for light
MAX_GRAIN = 0.02  # mean absolute value of noise


def match_light(image: Tensor, original: Tensor, known: Tensor, unit: float) -> Tensor:
    """A decode in the light of the photograph, whose colour it continues at its edge.

    The differences around a region are interpolated into it, as in Farbman et al., "Coordinates
    for Instant Image Cloning", 2009, which approximates Poisson cloning.

    Args:
        image: the decode.
        original: the photograph.
        known: 1 where the photograph counts.
        unit: see above.
    """
    offset = (original - image).clamp(-MAX_OFFSET, MAX_OFFSET)
    return image + interpolate(offset, known, sigma(2, unit))


def match_grain(original: Tensor, matched: Tensor, region: Tensor, unit: float) -> Tensor:
    """Noise ``(N, 1, S, S)`` with which a decode is as grainy as the photograph around it.

    Args:
        original: the photograph.
        matched: the decode.
        region: 1 where the decode replaces the photograph.
        unit: see above.
    """
    ring = dilate(region, radius(14, unit)) - dilate(region, radius(3, unit))
    count = ring.sum((2, 3), keepdim=True).clamp_min(1.0)

    def graininess(x: Tensor) -> Tensor:
        fine = (x - gaussian_blur(x, 1.0)).abs().mean(1, keepdim=True)
        return (fine * ring).sum((2, 3), keepdim=True) / count

    generator = torch.Generator().manual_seed(0)  # the same request has the same answer
    noise = torch.randn(1, 1, *original.shape[2:], generator=generator).to(original.device)
    noise = noise - gaussian_blur(noise, 1.0)
    missing = (graininess(original) - graininess(matched)).clamp(0.0, MAX_GRAIN)
    return missing / noise.abs().mean() * noise


def radius(pixels: float, unit: float) -> int:
    """A radius in pixels, at least 1."""
    return max(1, round(pixels * unit))


def sigma(pixels: float, unit: float) -> float:
    """A standard deviation in pixels, at least 0.5."""
    return max(0.5, pixels * unit)
