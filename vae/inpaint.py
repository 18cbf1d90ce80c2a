"""Filling in what is unknown of an image: draws of its latent given its known pixels.

A pseudo-Gibbs chain: the unknown part is filled in by a decode, the whole is encoded, a latent is
drawn from that posterior and decoded, and so on. With an encoder that gave the true posterior it
would be a Gibbs sampler of the latent and the unknown pixels: Rezende, Mohamed and Wierstra,
"Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014, appendix F.
With another one its distribution is near that, and not corrected as in Mattei and Frellsen,
"Leveraging the Exact Likelihood of Deep Latent Variable Models", 2018, section 4. Pixels are not
drawn: the mean of their distribution is the decode.
"""

from torch import Tensor

from vae.blending import match_light
from vae.gaussian import DiagonalGaussian


def draw(posterior: DiagonalGaussian, noise: Tensor) -> Tensor:
    """The latent ``(D,)`` that standard normal noise ``(D,)`` gives of one posterior ``(1, D)``."""
    return posterior.mean[0] + (0.5 * posterior.logvar[0]).exp() * noise


def filled(original: Tensor, decoded: Tensor, unknown: Tensor) -> Tensor:
    """An image whose unknown part is that of a decode, in the light of the known pixels around it.

    Known pixels are the image's to the last bit.

    Args:
        original: ``(N, C, S, S)`` in [0, 1]; where it is unknown, it is not looked at.
        decoded: of the same shape.
        unknown: ``(N, 1, S, S)``, 1 where the image is unknown and 0 elsewhere.
    """
    lit = match_light(decoded, original, 1.0 - unknown, original.shape[-1] / 256)
    return lit.clamp(0.0, 1.0).where(unknown > 0, original)
