"""Data sets through a model, batch by batch: encoded means and the scale of the residuals."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from training import progress
from training.data.dataset import Dataset
from vae.model import VAE
from vae.pixels import to_float

BATCH = 32
MIN_MEAN_SQUARE = 1e-12  # so that the scale of a perfect reconstruction is positive


def batches(data: Dataset, device: torch.device) -> Iterator[Tensor]:
    """All images of a data set in order, float ``(B, C, S, S)`` in [0, 1] on the device."""
    rows = (np.arange(i, min(i + BATCH, len(data))) for i in range(0, len(data), BATCH))
    for index in progress.counted(rows, len(data)):
        x = to_float(data.batch(index).to(device))
        yield x.contiguous(memory_format=torch.channels_last)


def device_of(model: VAE) -> torch.device:
    """The device of a model's weights."""
    return next(model.parameters()).device


@torch.inference_mode()
def encoded_means(model: VAE, data: Dataset) -> Tensor:
    """The posterior means of all images, ``(N, D)`` on the CPU; nothing is sampled."""
    return torch.cat([model.encode(x).mean.cpu() for x in batches(data, device_of(model))])


@torch.inference_mode()
def residual_scale(model: VAE, data: Dataset) -> float:
    """Root mean square of the reconstruction error, in pixel units of [0, 1].

    The maximum-likelihood scale of a Gaussian around the reconstruction: Rybkin et al., "Simple and
    Effective VAE Training with Calibrated Decoders", 2021, equation 4.
    """
    total, count = 0.0, 0
    for x in batches(data, device_of(model)):
        total += float((model.decode(model.encode(x).mean) - x).double().square().sum())
        count += x.numel()
    return math.sqrt(max(total / count, MIN_MEAN_SQUARE))
