"""The negative evidence lower bound, its two terms kept apart."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.analysis.attribute_classifier import AttributeClassifier, cross_entropy
from training.analysis.features import resized
from vae.model import VAE

GUIDE_SIZE = 64  # pixels a side of what a guide looks at: no fine texture can please it

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
        guide: weight of a guide's cross-entropy, in nats: how badly a classifier of pictures still
            sees in the reconstruction what the labels say. What the latent knows and squared
            error does not care to draw is drawn then: half a frame costs it few squared errors.
        guide_positive: how much more it costs to lose what is there than to show what is not.
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
    guide: float = 0.0
    guide_positive: float = 1.0


@dataclass(frozen=True)
class Terms:
    """Means over a batch: the objective a pixel value, distortion (unweighted) and rate in nats."""

    objective: Tensor
    distortion: Tensor
    rate: Tensor


class Loss(nn.Module):
    """Computes ``Terms`` of a batch; holds the learned scale of the ``gaussian`` kind."""

    def __init__(
        self, config: LossConfig, model: VAE, guide: AttributeClassifier | None = None
    ) -> None:
        """Take up a recipe's loss.

        Raises:
            ValueError: if it does not go with the model, or needs a guide and there is none.
        """
        super().__init__()
        if config.reconstruction == "bce" and model.config.output != "sigmoid":
            raise ValueError("binary cross-entropy needs a model with sigmoid output")
        if guide is not None and model.config.channels != 3:
            raise ValueError("a guide needs colour pictures")
        if config.guide and guide is None:
            raise ValueError("the recipe's loss asks a guide, and there is no --guide")
        if guide is not None and not config.guide:
            raise ValueError("there is a --guide, and the recipe's loss asks none")
        self.config = config
        self.log_sigma = nn.Parameter(torch.tensor(-1.0)) if _learns_scale(config) else None
        top, bottom, weight = config.band or (0.0, 1.0, 1.0)
        rows = (torch.arange(model.config.size) + 0.5) / model.config.size
        in_band = ((rows >= top) & (rows < bottom))[:, None]
        self.in_band: Tensor
        self.row_weights: Tensor
        self.register_buffer("in_band", in_band, persistent=False)
        self.register_buffer("row_weights", torch.where(in_band, weight, 1.0))
        # In a tuple, so that its weights are neither trained nor saved with the loss.
        self._guide: tuple[AttributeClassifier, ...] = (
            () if guide is None else (guide.eval().requires_grad_(False),)
        )

    def forward(
        self,
        model: VAE,
        x: Tensor,
        generator: torch.Generator | None,
        progress: float,
        truth: Tensor | None = None,
    ) -> Terms:
        """The terms for pictures ``(N, C, S, S)`` in [0, 1].

        Args:
            model: the network under training.
            x: the batch.
            generator: of the noise in ``z``.
            progress: share of the training done, for the KL warm-up.
            truth: 0, 1 or NaN (unknown) for each of the guide's labels, ``(N, labels)``.
        """
        posterior = model.encode(x)
        raw = model.decode_logits(posterior.sample(generator))
        distortion, weighted = self._distortion(model, raw, x)
        kl = posterior.kl_per_dimension()
        rate = kl.sum(1).mean()
        charged = (
            kl.mean(0).clamp_min(self.config.free_bits).sum() if self.config.free_bits else rate
        )
        warmup = self.config.kl_warmup
        beta = self.config.beta * (min(1.0, progress / warmup) if warmup else 1.0)
        objective = (self.config.weight * weighted + beta * charged) / x[0].numel()
        if self._guide and truth is not None:
            missed = self._classifier_loss(model.to_images(raw), truth)
            objective = objective + self.config.guide * missed
        return Terms(objective, distortion.detach(), rate.detach())

    def _classifier_loss(self, copy: Tensor, truth: Tensor) -> Tensor:
        """The guide's cross-entropy; only what lies in the band can lower it."""
        copy = torch.where(self.in_band, copy, copy.detach())
        network = self._guide[0].to(copy.device)
        seen = network(resized(copy, GUIDE_SIZE))
        return cross_entropy(seen, truth, self.config.guide_positive)

    def _distortion(self, model: VAE, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The plain reconstruction term a picture, and the same with row weights and edges."""
        n = len(x)
        if self.config.reconstruction == "bce":
            bce = F.binary_cross_entropy_with_logits(raw.float(), x, reduction="none")
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
