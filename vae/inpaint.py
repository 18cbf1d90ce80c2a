"""Filling in what is unknown of an image: draws of its latent given its known pixels.

Coarse pixels are taken as a linear function of the latent, and the latent as Gaussian. Its
distribution given the known ones is then Gaussian too, and exact draws of it cost no call of the
model. The decoder makes images of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vae.blending import match_light
from vae.pixel_regression import PixelRegression, coarse
from vae.prior import LatentStatistics

MIN_KNOWN = 0.25  # of a coarse pixel that counts
# Errors of about 4 x 4 neighbouring coarse pixels are one error: each counts with this variance.
CORRELATED = 16


@dataclass(frozen=True)
class LatentPosterior:
    """The distribution of a latent given known pixels, ``N(mean, B B^T)``.

    Attributes:
        mean: ``(D,)``.
        factor: the square root B of the covariance, ``(D, D)``.
    """

    mean: Tensor
    factor: Tensor

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """The latents ``(N, D)`` of standard normal noise ``(N, D)``; a row depends on its own.

        Args:
            noise: one row a latent.
            temperature: scale of the noise; 0 gives the mean.
        """
        return torch.stack([self.mean + temperature * (self.factor @ row) for row in noise])


def latent_posterior(
    image: Tensor, unknown: Tensor, statistics: LatentStatistics, regression: PixelRegression
) -> LatentPosterior:
    """The distribution of the latent of an image given its known pixels.

    The posterior of a linear Gaussian model: Bishop, "Pattern Recognition and Machine Learning",
    2006, equations 2.116 and 2.117, here of ``u`` for the latent ``mean + L u``. The prior is one
    Gaussian with the mean and the covariance ``L L^T`` of the encoded training set.

    Args:
        image: ``(1, C, S, S)`` in [0, 1]; where it is unknown, it is not looked at.
        unknown: ``(1, 1, S, S)``, 1 where the image is unknown and 0 elsewhere.
        statistics: of the encoded training set.
        regression: of its pixels.
    """
    known = (1.0 - unknown).expand_as(image)
    fraction = coarse(known)[0]
    counts = fraction >= MIN_KNOWN
    pixels = coarse(image * known)[0, counts] / fraction[counts]
    scale = (CORRELATED * regression.variance[counts]).rsqrt()[:, None]
    weights = scale * (regression.weights[counts] @ statistics.factor)
    errors = scale[:, 0] * (pixels - regression.centre[counts])
    identity = torch.eye(len(statistics.mean), dtype=torch.float64)
    cholesky = torch.linalg.cholesky(identity + (weights.T @ weights).double())
    u = torch.cholesky_solve((weights.T @ errors).double()[:, None], cholesky)[:, 0]
    root = torch.linalg.solve_triangular(cholesky.T, identity, upper=True)
    return LatentPosterior(
        mean=statistics.mean + statistics.factor @ u.float(),
        factor=statistics.factor @ root.float(),
    )


def filled(image: Tensor, decoded: Tensor, unknown: Tensor) -> Tensor:
    """An image whose unknown part is that of a decode, in the light of the known pixels around it.

    Known pixels are the image's to the last bit.

    Args:
        image: ``(N, C, S, S)`` in [0, 1]; where it is unknown, it is not looked at.
        decoded: of the same shape.
        unknown: ``(N, 1, S, S)``, 1 where the image is unknown and 0 elsewhere.
    """
    lit = match_light(decoded, image, 1.0 - unknown, image.shape[-1] / 256)
    return lit.clamp(0.0, 1.0).where(unknown > 0, image)
