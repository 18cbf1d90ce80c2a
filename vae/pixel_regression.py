"""Coarse pixels of images as a linear function of their latents."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

MAX_SIDE = 32  # coarse pixels a side
MIN_VARIANCE = 1e-6  # of an error, so that no pixel is certain


@dataclass(frozen=True)
class PixelRegression:
    """The regression of coarse pixels on encoded means.

    P values are the C channels of the coarse pixels, as ``coarse`` gives them.

    Attributes:
        weights: ``(P, D)``, change of the coarse pixels with the latent.
        centre: ``(P,)``, coarse pixels in [0, 1] at the mean latent.
        variance: ``(P,)``, mean squared error of the regression, positive.
    """

    weights: Tensor
    centre: Tensor
    variance: Tensor


def coarse(images: Tensor) -> Tensor:
    """Means of blocks of pixels, at most ``MAX_SIDE`` a side, ``(N, P)`` of ``(N, C, S, S)``."""
    return F.adaptive_avg_pool2d(images, coarse_side(images.shape[-1])).flatten(1)


def coarse_side(size: int) -> int:
    """Coarse pixels a side of images of ``size`` pixels a side."""
    return min(size, MAX_SIDE)


def fit_pixel_regression(means: Tensor, coarse_pixels: Tensor) -> PixelRegression:
    """The least-squares regression of coarse pixels on latents.

    Args:
        means: encoded means of images, ``(N, D)``.
        coarse_pixels: of the same images, ``(N, P)``.
    """
    latents, pixels = means.double(), coarse_pixels.double()
    latents, centre = latents - latents.mean(0), pixels.mean(0)
    ridge = torch.eye(latents.shape[1], dtype=torch.float64)  # decides where there are few images
    weights = torch.linalg.solve(latents.T @ latents + ridge, latents.T @ (pixels - centre)).T
    errors = pixels - centre - latents @ weights.T
    variance = errors.square().mean(0).clamp_min(MIN_VARIANCE)
    return PixelRegression(weights.float(), centre.float(), variance.float())
