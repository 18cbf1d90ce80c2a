"""The negative evidence lower bound, its two terms kept apart."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.features import Backbone
from vae.model import VAE

PERCEPTUAL_STAGES = 3  # down to an eighth of the resolution

Reconstruction = Literal["mse", "bce", "gaussian"]


@dataclass(frozen=True)
class LossConfig:
    """What a reconstruction costs, and what a nat costs.

    Attributes:
        reconstruction: ``mse`` (summed squared error), ``bce`` (summed binary cross-entropy, for
            sigmoid outputs), or ``gaussian`` (negative log-likelihood with one learned scale,
            Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders", 2021).
        weight: of the reconstruction term.
        beta: of the KL term (Higgins et al., "beta-VAE", 2017), reached after the warm-up.
        kl_warmup: share of the training over which beta rises linearly from zero.
        free_bits: nats a latent dimension may carry at no cost (Kingma et al., "Improved
            Variational Inference with Inverse Autoregressive Flow", 2016, appendix C.8).
        edges: weight of the squared errors of horizontal and vertical differences, within the
            reconstruction term; they count thin lines that squared error hardly sees.
        perceptual: weight of the distance in the features of a network of photographs (see
            ``training.features``), a picture's mean beside the mean squared error of its pixels;
            within the reconstruction term. With a ``band`` it looks at those rows alone.
        perceptual_from: share of the training after which that distance counts; it is slow.
        band: ``(top, bottom, weight)``: rows between these shares of the height weigh this much
            more; for aligned faces, where the eyes are.
    """

    reconstruction: Reconstruction = "mse"
    weight: float = 1.0
    beta: float = 1.0
    kl_warmup: float = 0.0
    free_bits: float = 0.0
    edges: float = 0.0
    band: tuple[float, float, float] | None = None
    perceptual: float = 0.0
    perceptual_from: float = 0.0


@dataclass(frozen=True)
class Terms:
    """Means over a batch: the objective a pixel value, distortion (unweighted) and rate in nats."""

    objective: Tensor
    distortion: Tensor
    rate: Tensor


class Loss(nn.Module):
    """Computes ``Terms`` of a batch; holds the learned scale of the ``gaussian`` kind."""

    def __init__(self, config: LossConfig, model: VAE) -> None:
        super().__init__()
        if config.reconstruction == "bce" and model.config.output != "sigmoid":
            raise ValueError("binary cross-entropy needs a model with sigmoid output")
        if config.perceptual and model.config.channels != 3:
            raise ValueError("the perceptual term needs colour pictures")
        self.config = config
        self.log_sigma = nn.Parameter(torch.tensor(-1.0)) if _learns_scale(config) else None
        weights = torch.ones(model.config.size)
        if config.band is not None:
            top, bottom, weight = config.band
            rows = (torch.arange(model.config.size) + 0.5) / model.config.size
            weights[(rows >= top) & (rows < bottom)] = weight
        self.row_weights: Tensor
        self.register_buffer("row_weights", weights[:, None])
        # In a tuple, so that its weights are neither trained nor saved with the loss.
        self._seeing: tuple[Backbone, ...] = (
            (Backbone().eval().requires_grad_(False),) if config.perceptual else ()
        )

    def forward(
        self, model: VAE, x: Tensor, generator: torch.Generator | None, progress: float
    ) -> Terms:
        """The terms for pictures ``(N, C, S, S)`` in [0, 1].

        Args:
            model: the network under training.
            x: the batch.
            generator: of the noise in ``z``.
            progress: share of the training done, for the KL warm-up and the perceptual term.
        """
        posterior = model.encode(x)
        raw = model.raw(posterior.sample(generator))
        distortion, weighted = self._distortion(model, raw, x)
        if self._seeing and progress >= self.config.perceptual_from:
            distance = self._perceptual(model.pixels(raw).clamp(0.0, 1.0), x)
            weighted = weighted + self.config.perceptual * x[0].numel() * distance
        kl = posterior.kl_per_dimension()
        rate = kl.sum(1).mean()
        charged = (
            kl.mean(0).clamp_min(self.config.free_bits).sum() if self.config.free_bits else rate
        )
        warmup = self.config.kl_warmup
        beta = self.config.beta * (min(1.0, progress / warmup) if warmup else 1.0)
        objective = (self.config.weight * weighted + beta * charged) / x[0].numel()
        return Terms(objective, distortion.detach(), rate.detach())

    def _perceptual(self, copy: Tensor, x: Tensor) -> Tensor:
        """Mean squared distance of normalised features, summed over stages, mean over the batch.

        Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
        2018, equation 1, with every channel weighted alike.
        """
        network = self._seeing[0].to(x.device)
        if self.config.band is not None:
            top, bottom = (round(share * x.shape[2]) for share in self.config.band[:2])
            copy, x = copy[:, :, top:bottom], x[:, :, top:bottom]
        with torch.no_grad():
            wanted = network.stages(x, PERCEPTUAL_STAGES)
        found = network.stages(copy, PERCEPTUAL_STAGES)
        parts = [
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean()
            for a, b in zip(found, wanted, strict=True)
        ]
        return torch.stack(parts).sum()

    def _distortion(self, model: VAE, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The plain reconstruction term a picture, and the same with row weights and edges."""
        n = len(x)
        if self.config.reconstruction == "bce":
            bce = F.binary_cross_entropy_with_logits(raw, x, reduction="none")
            return bce.sum() / n, (bce * self.row_weights).sum() / n
        error = model.pixels(raw) - x
        squared = error.square()
        plain, weighted = squared.sum() / n, (squared * self.row_weights).sum() / n
        if self.config.edges:
            across = error.diff(dim=3).square() * self.row_weights
            down = error.diff(dim=2).square() * self.row_weights[1:]
            weighted = weighted + self.config.edges * (across.sum() + down.sum()) / n
        if self.log_sigma is None:
            return plain, weighted
        scale = 0.5 * (-2.0 * self.log_sigma).exp()
        constant = x[0].numel() * (self.log_sigma + 0.5 * math.log(2.0 * math.pi))
        return scale * plain + constant, scale * weighted + constant


def _learns_scale(config: LossConfig) -> bool:
    return config.reconstruction == "gaussian"
