"""What a batch says to the detail branch and to the discriminator: loss terms and gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.fit.adversarial_recipe import AdversarialRecipe
from training.fit.discriminator import (
    PatchDiscriminator,
    discriminator_hinge_loss,
    feature_matching_loss,
    generator_hinge_loss,
    low_frequency_loss,
)
from vae.model import VAE

Window = tuple[slice, slice]  # rows and columns


@dataclass(frozen=True)
class Gradients:
    """Of the parameters of both networks, in their order, and the loss terms by name."""

    branch: tuple[Tensor, ...]
    discriminator: tuple[Tensor, ...]
    terms: dict[str, float]


class AdversarialObjective:
    """Computes ``Gradients``; it changes nothing, so threads may share it.

    Args:
        recipe: the weights of the terms.
        model: frozen but for its detail branch.
        discriminator: in eval mode, in which its spectral norms stay as they are.
    """

    def __init__(
        self, recipe: AdversarialRecipe, model: VAE, discriminator: PatchDiscriminator
    ) -> None:
        assert model.detail is not None
        self._recipe, self._model, self._branch = recipe, model, model.detail
        self._trunk, self._head = model.split_decoder()
        self._discriminator = discriminator

    def __call__(
        self, x: Tensor, generator: torch.Generator, window: Window, warmup: float
    ) -> Gradients:
        """The gradients for images ``(N, C, S, S)`` in [0, 1].

        Args:
            x: the images.
            generator: of the noise in latents.
            window: what the discriminator sees of an image.
            warmup: in [0, 1], factor of the branch's adversarial terms.
        """
        recipe = self._recipe
        with self._autocast(x):
            base, features = self._least_squares(x, generator)
            residual = self._branch(features)
        images = base + residual.float()
        pair = images.detach().requires_grad_(True)
        by_images, by_discriminator, terms = self._adversarial(x, pair, base, window, warmup)
        absolute = (images - x).abs().mean()
        low = low_frequency_loss(images, x)
        loss = recipe.absolute * absolute + recipe.low_frequency * low
        by_branch = torch.autograd.grad(
            [loss, images], list(self._branch.parameters()), [None, by_images]
        )
        terms |= {"absolute": absolute.detach(), "low_frequency": low.detach()}
        return Gradients(by_branch, by_discriminator, {k: float(v) for k, v in terms.items()})

    @torch.no_grad()
    def _least_squares(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What the decoder makes of a batch, float32, and the features for the branch."""
        posterior = self._model.encode(x)
        noisy = torch.arange(len(x), device=x.device) < self._recipe.sampled * len(x)
        z = torch.where(noisy[:, None], posterior.sample(generator), posterior.mean)
        features = self._trunk(z)
        return self._model.pixels(self._head(features)), features

    def _adversarial(
        self, x: Tensor, images: Tensor, base: Tensor, window: Window, warmup: float
    ) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
        """Gradients of the branch's terms by its images, and of the discriminator's loss.

        One pass of the discriminator serves both, as in pix2pixHD.
        """
        condition = base[:, :, *window]
        with self._autocast(x):
            real, real_features = self._discriminator(x[:, :, *window], condition)
            fake, fake_features = self._discriminator(images[:, :, *window], condition)
        matching = feature_matching_loss(real_features, fake_features)
        fooling = generator_hinge_loss(fake)
        loss = self._recipe.feature_matching * matching + self._recipe.adversarial * fooling
        [by_images] = torch.autograd.grad(warmup * loss, images, retain_graph=True)
        hinge = discriminator_hinge_loss(real, fake)
        by_discriminator = torch.autograd.grad(hinge, list(self._discriminator.parameters()))
        terms = {
            "discriminator": hinge,
            "feature_matching": matching,
            "real_logit": real.float().mean(),
            "fake_logit": fake.float().mean(),
        }
        return by_images, by_discriminator, {k: v.detach() for k, v in terms.items()}

    @staticmethod
    def _autocast(x: Tensor) -> torch.autocast:
        """Without the cache of cast weights, which threads would share."""
        return torch.autocast(x.device.type, torch.bfloat16, cache_enabled=False)
