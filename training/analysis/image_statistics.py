"""What images are to a model: their evidence lower bound, latents and coarse pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.analysis.encoding import batches, device_of
from training.data.dataset import Dataset
from vae.checkpoint import Checkpoint
from vae.pixel_regression import coarse
from vae.pixels import to_uint8
from vae.score import elbo_terms, percentile, posterior_draw, quantiles

TRAIN_IMAGES = 4000  # that are looked at: a percentile is then known to one percent


@dataclass(frozen=True)
class ImageStatistics:
    """Of N images, on the CPU.

    Attributes:
        elbo: the bound as the service computes it, in nats, ``(N,)`` in float64: of 8-bit decodes
            with detail 0, and one draw of each posterior (``vae.score``).
        means: encoded means, ``(N, D)``.
        coarse_pixels: ``(N, P)``, see ``vae.pixel_regression``.
    """

    elbo: Tensor
    means: Tensor
    coarse_pixels: Tensor


@torch.inference_mode()
def image_statistics(checkpoint: Checkpoint, data: Dataset) -> ImageStatistics:
    """The statistics of all images of a data set, at least one."""
    model = checkpoint.model
    rows = []
    for x in batches(data, device_of(model)):
        posterior = model.encode(x)
        decoded = to_uint8(model.decode(posterior_draw(posterior)))
        terms = elbo_terms(to_uint8(x), decoded, posterior, checkpoint.sigma)
        rows.append([terms.elbo_nats.cpu(), posterior.mean.cpu(), coarse(x).cpu()])
    elbo, means, coarse_pixels = (torch.cat(parts) for parts in zip(*rows, strict=True))
    return ImageStatistics(elbo, means, coarse_pixels)


def calibrated_quantiles(train: Tensor, test: Tensor) -> Tensor:
    """Quantiles of the bound of images that the model has not seen.

    The bound of train images is too high for others. Their quantiles are moved by one number, so
    that their mean is that of test images: train images are many, and give the shape.

    Args:
        train: the bound of train images, ``(N,)``.
        test: that of test images, ``(M,)``; if there are none, nothing is moved.
    """
    return quantiles(train + generalisation_gap(train, test))


def generalisation_gap(train: Tensor, test: Tensor) -> float:
    """Mean bound of test images minus that of train images, in nats; 0 without test images."""
    return float(test.mean() - train.mean()) if len(test) else 0.0


def cross_fitted_percentiles(train: Tensor, test: Tensor) -> Tensor:
    """The percentile of each test image, by quantiles that the other half of them calibrated.

    Args:
        train: the bound of train images, ``(N,)``.
        test: that of test images, ``(M,)``, at least 2.

    Returns:
        ``(M,)`` in [0, 100].
    """
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    found = torch.empty(len(test), dtype=torch.float64)
    for own, other in ((order[0::2], order[1::2]), (order[1::2], order[0::2])):
        found[own] = percentile(test[own], calibrated_quantiles(train, test[other]))
    return found
