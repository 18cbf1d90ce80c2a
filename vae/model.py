"""The VAE: an encoder, a decoder, and for some a detail branch."""

import copy

import torch
from torch import Tensor, nn

from vae import networks
from vae.config import VAEConfig
from vae.detail import DetailBranch, split_decoder
from vae.gaussian import DiagonalGaussian

LOGVAR_RANGE = (-30.0, 20.0)  # keeps exp(logvar) finite, also in bfloat16


class VAE(nn.Module):
    """An encoder and a decoder; in eval mode both are pure functions of their input."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = _networks(config)
        self.detail = _detail_branch(config)

    @property
    def max_detail(self) -> float:
        """The end of the range of detail: 1 with a detail branch, else 0."""
        return 0.0 if self.detail is None else 1.0

    def for_inference(self) -> "VAE":
        """A copy for inference: the same function, faster in channels-last memory.

        Its weights are in another order than a checkpoint's (see ``networks.to_pixel_major``).
        """
        model = copy.deepcopy(self)
        model.encoder = networks.to_pixel_major(model.encoder)
        model.decoder = networks.to_pixel_major(model.decoder)
        if model.detail is not None:
            model.detail.to_pixel_major()
        return model

    def encode(self, x: Tensor) -> DiagonalGaussian:
        """The approximate posterior of images ``(N, C, S, S)`` in [0, 1].

        Raises:
            ValueError: if they are of another shape.
        """
        if x.shape[1:] != self.config.shape:
            raise ValueError(f"images are {tuple(x.shape[1:])}, not {self.config.shape}")
        mean, logvar = self.encoder(x).float().chunk(2, dim=1)
        return DiagonalGaussian(mean, logvar.clamp(*LOGVAR_RANGE))

    def decode_logits(self, z: Tensor) -> Tensor:
        """The decoder's output for latents ``(N, D)`` before it becomes pixels, ``(N, C, S, S)``.

        Raises:
            ValueError: if they are of another shape.
        """
        if z.shape[1:] != (self.config.latent_dim,):
            raise ValueError(f"latents are {tuple(z.shape[1:])}, not ({self.config.latent_dim},)")
        logits: Tensor = self.decoder(z)
        return logits

    def pixels(self, logits: Tensor) -> Tensor:
        """Logits as float32 around [0, 1], not clipped: a loss has a gradient everywhere."""
        logits = logits.float()
        return torch.sigmoid(logits) if self.config.output == "sigmoid" else logits + 0.5

    def to_images(self, logits: Tensor) -> Tensor:
        """Logits as images in [0, 1]."""
        return self.pixels(logits).clamp(0.0, 1.0)

    def decode(self, z: Tensor) -> Tensor:
        """Images ``(N, C, S, S)`` in [0, 1] of latents ``(N, D)``."""
        return self.to_images(self.decode_logits(z))

    def decode_with_detail(self, z: Tensor, detail: Tensor) -> Tensor:
        """Images ``(N, C, S, S)`` in [0, 1], blended between those of ``decode`` and sharp ones.

        Args:
            z: latents ``(N, D)``.
            detail: ``(N,)`` in [0, 1]: 0 for the least-squares image, 1 for the sharp one.

        Raises:
            ValueError: if a detail is not 0 and the model has no detail branch.
        """
        rows = detail.nonzero().flatten()
        if not len(rows):
            return self.to_images(self.decode_logits(z))
        trunk, head = self.split_decoder()
        logits = head(features := trunk(z))
        sharp = self.blend(logits[rows], self.detail_residual(features[rows]), detail[rows])
        return self.to_images(logits).index_copy(0, rows, sharp)

    def blend(self, logits: Tensor, residual: Tensor, detail: Tensor) -> Tensor:
        """Images in [0, 1]: the pixels of ``logits``, and ``detail`` times ``residual``.

        Args:
            logits: of the decoder, ``(N, C, S, S)``.
            residual: of the detail branch, of the same shape.
            detail: ``(N,)`` in [0, 1].
        """
        factor = detail.float()[:, None, None, None]
        return (factor * residual).add_(self.pixels(logits)).clamp_(0.0, 1.0)

    def split_decoder(self) -> tuple[nn.Sequential, nn.Sequential]:
        """The decoder's trunk, whose features the detail branch reads, and its head.

        Raises:
            ValueError: if the model has no detail branch.
        """
        if self.detail is None or not isinstance(self.decoder, nn.Sequential):
            raise ValueError("this model has no detail branch")
        return split_decoder(self.decoder)

    def detail_residual(self, features: Tensor) -> Tensor:
        """What the detail branch makes of features of the trunk, ``(N, C, S, S)``.

        Raises:
            ValueError: if the model has no detail branch.
        """
        if self.detail is None:
            raise ValueError("this model has no detail branch")
        residual: Tensor = self.detail(features)
        return residual


def _detail_branch(config: VAEConfig) -> DetailBranch | None:
    if not config.detail_channels:
        return None
    return DetailBranch(config.channels, config.patch, config.widths[0], config.detail_channels)


def _networks(config: VAEConfig) -> tuple[nn.Module, nn.Module]:
    match config.family:
        case "mlp":
            return networks.mlp(config.size**2, config.hidden, config.latent_dim)
        case "conv28":
            return networks.conv28(config.latent_dim)
        case "tutorial":
            return networks.tutorial(config.latent_dim)
        case "residual":
            return networks.residual(
                config.channels,
                config.size,
                config.latent_dim,
                config.patch,
                config.widths,
                config.blocks,
            )
