"""How well a model explains an image: the terms of the evidence lower bound, and their rank.

The terms are computed from pixels of 8 bits, so that they are the same in training and in service.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vae.gaussian import DiagonalGaussian
from vae.latent import seeded_noise

DRAW_SEED = 0  # of the one draw of every posterior: the same image has the same score
QUARTER_LEVEL = 0.25 / 255  # a probability that is stored as 0 or 255 is this far from 0 or 1
STEPS = 1000  # of the quantiles that a checkpoint keeps


@dataclass(frozen=True)
class ElboTerms:
    """The terms of the evidence lower bound, one value an image, each ``(N,)`` in float64.

    Attributes:
        mse: mean squared error of the pixels in [0, 1].
        distortion_nats: negative log-likelihood of the pixels, given the latent.
        kl_nats: KL of the posterior to N(0, I).
    """

    mse: Tensor
    distortion_nats: Tensor
    kl_nats: Tensor

    @property
    def elbo_nats(self) -> Tensor:
        """The evidence lower bound, ``(N,)``: Kingma & Welling 2014, equation 3."""
        return -(self.distortion_nats + self.kl_nats)


def posterior_draw(posterior: DiagonalGaussian) -> Tensor:
    """The latent ``(N, D)`` whose decode is compared with each image: one draw of its posterior."""
    noise = seeded_noise([DRAW_SEED], posterior.mean.shape[1]).to(posterior.mean.device)
    return posterior.mean + (0.5 * posterior.logvar).exp() * noise


def elbo_terms(
    images: Tensor, decoded: Tensor, posterior: DiagonalGaussian, sigma: float | None
) -> ElboTerms:
    """The terms of each image, with one draw of its posterior.

    Args:
        images: uint8 ``(N, S, S, C)``.
        decoded: the decodes of ``posterior_draw``, of the same shape and type.
        posterior: of the images.
        sigma: scale of the Gaussian around a decode, in pixel units of [0, 1]; None where pixels
            are Bernoulli, as in ``vae.checkpoint.Checkpoint``.
    """
    x, mean = (pixels.flatten(1).double() / 255 for pixels in (images, decoded))
    squared = (x - mean).square()
    if sigma is None:
        p = mean.clamp(QUARTER_LEVEL, 1.0 - QUARTER_LEVEL)
        distortion = -(x * p.log() + (1.0 - x) * (1.0 - p).log()).sum(1)
    else:
        constant = x.shape[1] * (math.log(sigma) + 0.5 * math.log(2.0 * math.pi))
        distortion = 0.5 * squared.sum(1) / sigma**2 + constant
    return ElboTerms(squared.mean(1), distortion, posterior.kl().double())


def quantiles(values: Tensor) -> Tensor:
    """Quantiles of ``(N,)`` values at ``STEPS`` equal steps, both ends included, float32."""
    ordered = values.double().sort().values
    position = torch.linspace(0, len(ordered) - 1, STEPS + 1, dtype=torch.float64)
    low = position.floor().long()
    high = (low + 1).clamp(max=len(ordered) - 1)
    weight = position - low
    return ((1.0 - weight) * ordered[low] + weight * ordered[high]).float()


def percentile(elbo: Tensor, reference: Tensor) -> Tensor:
    """How unusual images are: the percentage of reference images with a higher bound.

    Args:
        elbo: ``(N,)`` in nats.
        reference: quantiles of the bound of reference images, ascending, ``(Q,)``.

    Returns:
        ``(N,)`` in [0, 100]: 0 where the bound is above all quantiles, 100 where it is below them.
    """
    last = len(reference) - 1
    ordered, values = reference.double(), elbo.double()
    above = torch.searchsorted(ordered, values).clamp(1, last)
    low, high = ordered[above - 1], ordered[above]
    within = ((values - low) / (high - low).clamp_min(1e-9)).clamp(0.0, 1.0)
    return 100.0 * (1.0 - (above - 1 + within) / last)
