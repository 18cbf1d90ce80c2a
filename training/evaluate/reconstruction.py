"""Figures of reconstructions and latents on the test split."""

import math
from typing import Any

import torch
from torch import Tensor

from training.analysis.encoding import batches, device_of
from training.data.dataset import Dataset
from vae.checkpoint import Checkpoint
from vae.model import VAE

MIN_SSIM_SIZE = 11  # pixels a side of its window
MIN_MS_SSIM_SIZE = 176  # five scales of an 11-pixel window
ACTIVE_VARIANCE = 0.01


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image in dB, ``(N,)``, for ``(N, C, S, S)`` in [0, 1]."""
    mse = (x - y).square().flatten(1).mean(1)
    return -10.0 * mse.clamp_min(1e-10).log10()


@torch.inference_mode()
def evaluate(checkpoint: Checkpoint, data: Dataset) -> dict[str, Any]:
    """Figures of reconstructions, means over the images of ``data``.

    ``distortion_nats`` is the negative log-likelihood of the pixels around the reconstruction of
    one posterior sample: a Gaussian of the checkpoint's ``sigma``, or Bernoulli where it has none;
    ``elbo_nats`` is minus the sum of distortion and rate. A latent dimension is active if its mean
    varies by more than 0.01 (Burda et al., "Importance Weighted Autoencoders", 2016, section 5).
    ``ssim`` is left out of images smaller than 11 pixels a side, ``ms_ssim`` smaller than 176.
    """
    model = checkpoint.model
    device = device_of(model)
    generator = torch.Generator(device).manual_seed(0)
    sums: dict[str, float] = {}
    values: dict[str, Tensor | float]
    means = []
    for x in batches(data, device):
        posterior = model.encode(x)
        reconstruction = model.decode(posterior.mean)
        values = {
            "psnr_db": psnr(reconstruction, x).sum(),
            "rate_nats": posterior.kl().sum(),
            "distortion_nats": _distortion(model, checkpoint.sigma, posterior.sample(generator), x),
        }
        if model.config.size >= MIN_SSIM_SIZE:
            values["ssim"] = len(x) * _ssim(reconstruction, x)
        if model.config.size >= MIN_MS_SSIM_SIZE:
            values["ms_ssim"] = len(x) * _ms_ssim(reconstruction, x)
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + float(value)
        means.append(posterior.mean.cpu())
    metrics: dict[str, Any] = {name: value / len(data) for name, value in sums.items()}
    metrics["elbo_nats"] = -(metrics["distortion_nats"] + metrics["rate_nats"])
    variance = torch.cat(means).var(0, unbiased=False)
    metrics["active_units"] = int((variance > ACTIVE_VARIANCE).sum())
    metrics["latent_dim"] = model.config.latent_dim
    metrics["images"] = len(data)
    return metrics


def _ssim(x: Tensor, y: Tensor) -> float:
    from torchmetrics.functional.image import structural_similarity_index_measure  # takes seconds

    value = structural_similarity_index_measure(x.contiguous(), y.contiguous(), data_range=1.0)
    assert isinstance(value, Tensor)
    return float(value)


def _ms_ssim(x: Tensor, y: Tensor) -> float:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    return float(
        multiscale_structural_similarity_index_measure(
            x.contiguous(), y.contiguous(), data_range=1.0
        )
    )


def _distortion(model: VAE, sigma: float | None, z: Tensor, x: Tensor) -> Tensor:
    """Negative log-likelihood in nats, summed over the batch."""
    if sigma is None:
        logits = model.decode_logits(z).float()
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    squared = (model.decode(z) - x).square().sum()
    return 0.5 * squared / sigma**2 + x.numel() * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
