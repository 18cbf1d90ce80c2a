"""The VAE, and the configuration that it is built from."""

import copy
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from vae import networks
from vae.detail import DetailBranch, split_decoder
from vae.gaussian import DiagonalGaussian

Family = Literal["mlp", "conv28", "tutorial", "residual"]
Output = Literal["sigmoid", "clamp"]

MAX_WIDTH = 8192  # and MAX_BLOCKS: a damaged or hostile config must not take hours to build
MAX_BLOCKS = 16
LOGVAR_RANGE = (-30.0, 20.0)  # keeps exp(logvar) finite, also in bfloat16


@dataclass(frozen=True)
class VAEConfig:
    """Everything that is needed to build a model, validated on construction.

    Attributes:
        family: which networks (see ``vae.networks``).
        channels: 1 (grey) or 3 (RGB).
        size: pixels a side; images are square.
        latent_dim: D, the length of a latent.
        output: how the decoder's logits become pixels: ``sigmoid``, or ``clamp`` (logits + 0.5,
            clipped to [0, 1]; it does not saturate, so squared error reaches pure black and white).
        hidden: width of the dense layer (``mlp`` only).
        patch: side of the pixel blocks that stem and head turn into channels (``residual`` only).
        widths: channels of each level, finest first (``residual`` only).
        blocks: residual blocks a level (``residual`` only).
        detail_channels: of the decoder's detail branch (see ``vae.detail``), 0 for none
            (``residual`` only).

    Raises:
        ValueError: if the values do not describe a network that can be built.
    """

    family: Family = "residual"
    channels: int = 3
    size: int = 256
    latent_dim: int = 128
    output: Output = "clamp"
    hidden: int = 400
    patch: int = 4
    widths: tuple[int, ...] = (32, 64, 128, 192)
    blocks: int = 1
    detail_channels: int = 0

    def __post_init__(self) -> None:
        if self.family not in get_args(Family):
            raise ValueError(f"family is {self.family!r}; choose from {get_args(Family)}")
        if self.output not in get_args(Output):
            raise ValueError(f"output is {self.output!r}; choose from {get_args(Output)}")
        sizes = (self.channels, self.size, self.latent_dim, self.hidden, self.patch, self.blocks)
        counts = (*sizes, *self.widths, self.detail_channels)
        if any(not isinstance(n, int) or isinstance(n, bool) for n in counts):
            raise ValueError("sizes, widths and counts must be whole numbers")
        if self.channels not in (1, 3):
            raise ValueError(f"channels is {self.channels}; it must be 1 (grey) or 3 (RGB)")
        widths = (self.latent_dim, self.hidden, *self.widths)
        if not self.widths or any(not 1 <= n <= MAX_WIDTH for n in widths):
            raise ValueError(f"latent_dim, hidden and widths must be between 1 and {MAX_WIDTH}")
        if not 0 <= self.blocks <= MAX_BLOCKS:
            raise ValueError(f"blocks is {self.blocks}; it must be between 0 and {MAX_BLOCKS}")
        expected = {"mlp": (1, self.size), "conv28": (1, 28), "tutorial": (3, 256)}
        if (self.channels, self.size) != expected.get(self.family, (self.channels, self.size)):
            channels, size = expected[self.family]
            raise ValueError(
                f"family {self.family!r} takes {channels} x {size} x {size} images, "
                f"not {self.channels} x {self.size} x {self.size}"
            )
        if self.detail_channels:
            self._check_detail()
        if self.family == "residual":
            self._check_residual()
        elif not 1 <= self.size <= 256:
            raise ValueError(f"size is {self.size}; it must be between 1 and 256")

    def _check_residual(self) -> None:
        if self.size not in range(32, 257, 32):
            raise ValueError(f"size is {self.size}; it must be a multiple of 32 between 32 and 256")
        if self.patch < 1 or self.size % (self.patch << (len(self.widths) - 1)):
            raise ValueError(
                f"patch {self.patch} and {len(self.widths)} levels do not divide size {self.size}"
            )

    def _check_detail(self) -> None:
        if not 1 <= self.detail_channels <= MAX_WIDTH:
            raise ValueError(f"detail_channels must be between 0 and {MAX_WIDTH}")
        if self.family != "residual" or self.patch % 2:
            raise ValueError("a detail branch needs family residual and an even patch")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "VAEConfig":
        """Build a config from plain JSON values, also from those of older checkpoints.

        Raises:
            ValueError: if a field is unknown or out of range.
        """
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown fields {sorted(unknown)}")
        if "widths" in values:
            values = {**values, "widths": tuple(values["widths"])}
        if values.get("family") == "book":  # its name in checkpoints of format 1
            values = {**values, "family": "tutorial"}
        return cls(**values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: ``(C, S, S)``."""
        return (self.channels, self.size, self.size)


class VAE(nn.Module):
    """An encoder and a decoder; in eval mode both are pure functions of their input."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = _networks(config)
        self.detail = _detail_branch(config)

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
            return self.decode(z)
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
        share = detail.float()[:, None, None, None]
        return (share * residual).add_(self.pixels(logits)).clamp_(0.0, 1.0)

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
