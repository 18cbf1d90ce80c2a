"""The negative evidence lower bound, with its two terms separate."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.analysis.attribute_classifier import cross_entropy
from vae.attribute_classifier import AttributeClassifier
from vae.config import VAEConfig
from vae.model import VAE
from vae.pixels import resized

CLASSIFIER_SIZE = 64  # pixels a side of what the classifier sees: too few for fine texture to count

Reconstruction = Literal["mse", "bce", "gaussian"]


@dataclass(frozen=True)
class LossConfig:
    """The reconstruction term, the KL term, and what is added to them.

    Attributes:
        reconstruction: ``mse`` (summed squared error), ``bce`` (summed binary cross-entropy, for
            sigmoid outputs), or ``gaussian`` (negative log-likelihood with one learned scale,
            Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders", 2021).
        weight: of the reconstruction term; higher gives sharper images.
        beta: weight of the KL term after the warm-up; higher gives cleaner samples (Higgins et al.,
            "beta-VAE", 2017).
        kl_warmup: fraction of the training over which beta rises linearly from zero.
        free_bits: nats a latent dimension may carry without a penalty (Kingma et al., "Improved
            Variational Inference with Inverse Autoregressive Flow", 2016, appendix C.8).
        gradient_weight: weight of the squared errors of horizontal and vertical image gradients,
            within the reconstruction term; thin lines count more in them than in squared errors.
        row_weight: ``(top, bottom, weight)``: rows between these fractions of the height weigh this
            much more; for aligned faces, where the eyes are.
        classifier_weight: weight of the cross-entropy, in nats, between the labels and what an
            auxiliary classifier predicts from the reconstruction; it makes the decoder draw what a
            label says even where that is few pixels, such as thin frames.
        positive_weight: weight of the images with a label in that cross-entropy.

    Raises:
        ValueError: if a value is out of range.
    """

    reconstruction: Reconstruction = "mse"
    weight: float = 1.0
    beta: float = 1.0
    kl_warmup: float = 0.0
    free_bits: float = 0.0
    gradient_weight: float = 0.0
    row_weight: tuple[float, float, float] | None = None
    classifier_weight: float = 0.0
    positive_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.kl_warmup <= 1:
            raise ValueError(f"kl_warmup is {self.kl_warmup}; it must be between 0 and 1")
        if self.free_bits < 0:
            raise ValueError(f"free_bits is {self.free_bits}; it must not be negative")
        if self.row_weight is not None and not 0 <= self.row_weight[0] < self.row_weight[1] <= 1:
            raise ValueError(
                f"row_weight is {self.row_weight}; it must begin with two fractions of the height, "
                "the upper end and the lower end of the rows"
            )


@dataclass(frozen=True)
class Terms:
    """Means over a batch: the objective a pixel value, distortion (unweighted) and rate in nats."""

    objective: Tensor
    distortion: Tensor
    rate: Tensor


class Loss(nn.Module):
    """Computes ``Terms`` of a batch; holds the learned scale of the ``gaussian`` kind."""

    def __init__(
        self,
        config: LossConfig,
        model: VAE,
        auxiliary_classifier: AttributeClassifier | None = None,
    ) -> None:
        """Build the loss of a recipe.

        Raises:
            ValueError: if it does not go with the model, or if there is a classifier without its
                weight or the weight without a classifier.
        """
        super().__init__()
        check_loss(config, model.config, auxiliary_classifier)
        self.config = config
        self.log_sigma = (
            nn.Parameter(torch.tensor(-1.0)) if config.reconstruction == "gaussian" else None
        )
        top, bottom, weight = config.row_weight or (0.0, 1.0, 1.0)
        rows = (torch.arange(model.config.size) + 0.5) / model.config.size
        weighted = ((rows >= top) & (rows < bottom))[:, None]
        self.is_weighted: Tensor
        self.row_weights: Tensor
        self.register_buffer("is_weighted", weighted, persistent=False)
        self.register_buffer("row_weights", torch.where(weighted, weight, 1.0))
        # In a tuple, so that its weights are neither trained nor saved with the loss.
        self._auxiliary_classifier: tuple[AttributeClassifier, ...] = (
            ()
            if auxiliary_classifier is None
            else (auxiliary_classifier.eval().requires_grad_(False),)
        )

    def forward(
        self,
        model: VAE,
        x: Tensor,
        generator: torch.Generator | None,
        progress: float,
        labels: Tensor | None = None,
    ) -> Terms:
        """The terms for images ``(N, C, S, S)`` in [0, 1].

        Args:
            model: the network under training.
            x: the batch.
            generator: of the noise in ``z``.
            progress: fraction of the training that is done, for the KL warm-up.
            labels: 0, 1 or NaN (unknown) for each label of the classifier, ``(N, labels)``.
        """
        posterior = model.encode(x)
        logits = model.decode_logits(posterior.sample(generator))
        distortion, weighted = self._distortion(model, logits, x)
        kl = posterior.kl_per_dimension()
        rate = kl.sum(1).mean()
        kl_penalised = (
            kl.mean(0).clamp_min(self.config.free_bits).sum() if self.config.free_bits else rate
        )
        warmup = self.config.kl_warmup
        beta = self.config.beta * (min(1.0, progress / warmup) if warmup else 1.0)
        objective = (self.config.weight * weighted + beta * kl_penalised) / x[0].numel()
        if self._auxiliary_classifier and labels is not None:
            classifier_loss = self._classifier_loss(model.to_images(logits), labels)
            objective = objective + self.config.classifier_weight * classifier_loss
        return Terms(objective, distortion.detach(), rate.detach())

    def _classifier_loss(self, reconstruction: Tensor, labels: Tensor) -> Tensor:
        """The classifier's cross-entropy; it has a gradient in the weighted rows only."""
        x = torch.where(self.is_weighted, reconstruction, reconstruction.detach())
        classifier = self._auxiliary_classifier[0].to(x.device)
        predicted = classifier(resized(x, CLASSIFIER_SIZE))
        return cross_entropy(predicted, labels, self.config.positive_weight)

    def _distortion(self, model: VAE, logits: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The plain reconstruction term an image, and the same with its weights."""
        n = len(x)
        if self.config.reconstruction == "bce":
            bce = F.binary_cross_entropy_with_logits(logits.float(), x, reduction="none")
            return bce.sum() / n, (bce * self.row_weights).sum() / n
        error = model.pixels(logits) - x
        squared = error.square()
        plain, weighted = squared.sum() / n, (squared * self.row_weights).sum() / n
        if self.config.gradient_weight:
            across = error.diff(dim=3).square() * self.row_weights
            down = error.diff(dim=2).square() * self.row_weights[1:]
            weighted = weighted + self.config.gradient_weight * (across.sum() + down.sum()) / n
        if self.log_sigma is None:
            return plain, weighted
        scale = 0.5 * (-2.0 * self.log_sigma).exp()
        constant = x[0].numel() * (self.log_sigma + 0.5 * math.log(2.0 * math.pi))
        return scale * plain + constant, scale * weighted + constant


def check_loss(
    config: LossConfig, model: VAEConfig, classifier: AttributeClassifier | None
) -> None:
    """Check that a loss goes with a model, and that its classifier and its weight are both there.

    Raises:
        ValueError: if not.
    """
    if config.reconstruction == "bce" and model.output != "sigmoid":
        raise ValueError("binary cross-entropy needs a model with sigmoid output")
    if classifier is not None and model.channels != 3:
        raise ValueError("an auxiliary classifier needs colour images")
    if config.classifier_weight and classifier is None:
        raise ValueError(
            "the recipe's loss has a classifier weight, and there is no --auxiliary-classifier"
        )
    if classifier is not None and not config.classifier_weight:
        raise ValueError(
            "there is an --auxiliary-classifier, and the recipe's loss has no classifier weight"
        )
