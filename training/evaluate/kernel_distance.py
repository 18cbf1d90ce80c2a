"""Kernel distances between sets of images, with their standard errors.

Bińkowski et al., "Demystifying MMD GANs", 2018, section 4: the squared maximum mean discrepancy
under a cubic kernel. It is unbiased, where a Fréchet distance grows as images are fewer. Features
are those of EfficientNet-Lite0 (see ``training.analysis.features``): the figures compare with each
other, not with any KID of Inception features.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from training.analysis.features import SIZE, Backbone
from vae.pixels import resized

EYES = (0.25, 0.55, 0.15, 0.85)  # top, bottom, left and right, shares of an aligned face
EYES_HEIGHT = 96  # pixels that the network sees of them, by 224: both multiples of its stride
BLOCK = 60  # images of a block


@dataclass(frozen=True)
class KernelDistance:
    """A mean over disjoint blocks of images, and the standard error of that mean."""

    mean: float
    standard_error: float


def kernel_distance(real: Tensor, made: Tensor, block: int = BLOCK) -> KernelDistance:
    """The kernel distance of two sets of features.

    Args:
        real: features ``(N, F)``.
        made: features ``(M, F)``; what is beyond the smaller count is not used.
        block: rows of a block, of which there must be two or more.

    Raises:
        ValueError: if there are fewer.
    """
    count = min(len(real), len(made)) // block
    if count < 2:
        raise ValueError(f"{min(len(real), len(made))} images make no two blocks of {block}")
    pairs = zip(torch.split(real.double(), block), torch.split(made.double(), block), strict=False)
    values = torch.tensor([_squared_mmd(x, y) for x, y in pairs][:count])
    return KernelDistance(float(values.mean()), float(values.std()) / math.sqrt(count))


@torch.inference_mode()
def face_features(network: Backbone, images: Iterable[Tensor]) -> Tensor:
    """Features ``(N, 320)`` of batches of images ``(B, 3, S, S)`` in [0, 1]."""
    return torch.cat([network(resized(x, SIZE)).cpu() for x in images])


@torch.inference_mode()
def eye_features(network: Backbone, images: Iterable[Tensor]) -> Tensor:
    """Features ``(N, 320)`` of the eyes in batches of aligned faces ``(B, 3, S, S)`` in [0, 1]."""
    return torch.cat([network(eyes(x)).cpu() for x in images])


def eyes(x: Tensor) -> Tensor:
    """The eyes in aligned faces ``(N, 3, S, S)``, ``(N, 3, 96, 224)``."""
    side = x.shape[-1]
    top, bottom, left, right = (round(share * side) for share in EYES)
    return F.interpolate(
        x[:, :, top:bottom, left:right], (EYES_HEIGHT, SIZE), mode="bilinear", antialias=True
    )


def _squared_mmd(x: Tensor, y: Tensor) -> float:
    """Equation 4 of the paper, for features ``(N, F)`` each."""
    n, width = x.shape

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / width + 1.0) ** 3

    within = [(k.sum() - k.trace()) / (n * (n - 1)) for k in (kernel(x, x), kernel(y, y))]
    return float(within[0] + within[1] - 2.0 * kernel(x, y).mean())
