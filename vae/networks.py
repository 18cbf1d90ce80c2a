"""The encoder and decoder networks of the four families.

An encoder maps images ``(N, C, S, S)`` in [0, 1] to ``(N, 2 * D)``: mean, then logvar. A decoder
maps latents ``(N, D)`` to logits ``(N, C, S, S)``; ``vae.model`` turns logits into pixels.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


def mlp(pixels: int, hidden: int, latent: int) -> tuple[nn.Module, nn.Module]:
    """Dense layers with ReLU, 784-400-20-400-784 in the MNIST tutorials.

    652,824 parameters at 784 pixels, 400 hidden and 20 latent units.
    """
    side = int(pixels**0.5)
    encoder = nn.Sequential(
        nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent)
    )
    decoder = nn.Sequential(
        nn.Linear(latent, hidden),
        nn.ReLU(),
        nn.Linear(hidden, pixels),
        nn.Unflatten(1, (1, side, side)),
    )
    return encoder, decoder


def conv28(latent: int) -> tuple[nn.Module, nn.Module]:
    """Three strided convolutions for 28x28 grey images and a mirrored decoder.

    Images are padded to 32x32 so that they can be halved three times, and the decoder's output is
    cropped back. 199,557 parameters at 2 latents.
    """
    encoder = nn.Sequential(
        nn.ZeroPad2d(2),
        nn.Conv2d(1, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 128, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128 * 4 * 4, 2 * latent),  # the two heads, side by side
    )
    decoder = nn.Sequential(
        nn.Linear(latent, 128 * 4 * 4),
        nn.Unflatten(1, (128, 4, 4)),
        nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 3, stride=2, padding=1, output_padding=1),
        nn.ZeroPad2d(-2),
    )
    return encoder, decoder


def tutorial(latent: int) -> tuple[nn.Module, nn.Module]:
    """The 3x256x256 network of the eyeglasses tutorials.

    Three 3x3 convolutions of stride 2 (8, 16, 32 channels; paddings 1, 1, 0), batch norm after the
    second, a dense layer of 1024, and the mirror of it. 63,332,411 parameters at 100 latents.
    """
    encoder = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=0),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(31 * 31 * 32, 1024),
        nn.ReLU(),
        nn.Linear(1024, 2 * latent),  # the two heads, side by side
    )
    decoder = nn.Sequential(
        nn.Linear(latent, 1024),
        nn.ReLU(),
        nn.Linear(1024, 31 * 31 * 32),
        nn.ReLU(),
        nn.Unflatten(1, (32, 31, 31)),
        nn.ConvTranspose2d(32, 16, 3, stride=2, output_padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1),
    )
    return encoder, decoder


def residual(
    channels: int, size: int, latent: int, patch: int, widths: Sequence[int], blocks: int
) -> tuple[nn.Module, nn.Module]:
    """Residual levels between a space-to-depth stem and a pixel-shuffle head.

    Nothing is computed at full resolution: the stem turns ``patch`` x ``patch`` pixels into
    channels and each further level halves the grid, so most of the work is dense convolutions
    of many channels on small grids, which are fast on CPUs and GPUs. There is no normalisation
    layer; each block starts as the identity (its last convolution is zero), as in Child, "Very Deep
    VAEs", 2021. So the output for an image never depends on its batch, not even in training.

    7,141,584 parameters at 3x256x256 with 128 latents, patch 4, widths 32, 64, 128, 192 and one
    block a level.
    """
    grid = size // patch >> (len(widths) - 1)
    bottom = widths[-1]
    encoder: list[nn.Module] = [
        SpaceToDepth(patch),
        nn.Conv2d(channels * patch**2, widths[0], 3, padding=1),
    ]
    for level, width in enumerate(widths):
        if level:
            encoder += [
                nn.PixelUnshuffle(2),
                nn.Conv2d(4 * widths[level - 1], width, 1),
            ]
        encoder += [ResidualBlock(width) for _ in range(blocks)]
    encoder += [nn.SiLU(), nn.Flatten(), nn.Linear(bottom * grid**2, 2 * latent)]

    decoder: list[nn.Module] = [
        nn.Linear(latent, bottom * grid**2),
        nn.Unflatten(1, (bottom, grid, grid)),
    ]
    for level in reversed(range(len(widths))):
        decoder += [ResidualBlock(widths[level]) for _ in range(blocks)]
        if level:
            decoder += [
                nn.Conv2d(widths[level], 4 * widths[level - 1], 1),
                nn.PixelShuffle(2),
            ]
    decoder += [
        nn.SiLU(),
        nn.Conv2d(widths[0], channels * patch**2, 3, padding=1),
        nn.PixelShuffle(patch),
    ]
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


class _PatchModule(nn.Module):
    """A module that rearranges square blocks of pixels, ``patch`` a side."""

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch


class SpaceToDepth(_PatchModule):
    """``nn.PixelUnshuffle``, three times as fast for few channels in channels-last memory."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C * patch**2, H / patch, W / patch)``."""
        n, channels, height, width = x.shape
        h, w, p = height // self.patch, width // self.patch, self.patch
        cells = x.permute(0, 2, 3, 1).reshape(n, h, p, w, p, channels)
        return cells.permute(0, 1, 3, 5, 2, 4).reshape(n, h, w, -1).permute(0, 3, 1, 2)


class PixelMajorUnshuffle(_PatchModule):
    """Blocks of pixels into channels, in pixel-major order: all channels of a pixel, then the next.

    In channels-last memory this copies whole rows of a block. ``nn.PixelUnshuffle`` and
    ``SpaceToDepth`` are channel-major and copy single values.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, patch**2 * C, H / patch, W / patch)``."""
        n, channels, height, width = x.shape
        h, w, p = height // self.patch, width // self.patch, self.patch
        rows = x.permute(0, 2, 3, 1).reshape(n, h, p, w, p * channels)
        return rows.permute(0, 1, 3, 2, 4).reshape(n, h, w, -1).permute(0, 3, 1, 2)


class PixelMajorShuffle(_PatchModule):
    """The inverse of ``PixelMajorUnshuffle``: ``nn.PixelShuffle`` in pixel-major order."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, patch**2 * C, h, w)`` to ``(N, C, h * patch, w * patch)``."""
        n, _, h, w = x.shape
        p = self.patch
        rows = x.permute(0, 2, 3, 1).reshape(n, h, w, p, -1).permute(0, 1, 3, 2, 4)
        return rows.reshape(n, h * p, w * p, -1).permute(0, 3, 1, 2)


def to_pixel_major(network: nn.Module) -> nn.Module:
    """The same function with pixel-major shuffles; the network's own modules are changed and used.

    The channels of the convolutions next to a shuffle are permuted to match. Decision 20.

    Args:
        network: an encoder or decoder of any family.
    """
    if not isinstance(network, nn.Sequential):
        return network
    layers = list(network)
    for i, layer in enumerate(layers):
        if isinstance(layer, SpaceToDepth | nn.PixelUnshuffle):
            after = layers[i + 1]
            assert isinstance(after, nn.Conv2d)
            p = layer.patch if isinstance(layer, SpaceToDepth) else layer.downscale_factor
            weight = after.weight.data
            by_channel = weight.reshape(len(weight), -1, p * p, *weight.shape[2:])
            after.weight = nn.Parameter(by_channel.transpose(1, 2).flatten(1, 2))
            layers[i] = PixelMajorUnshuffle(p)
        elif isinstance(layer, nn.PixelShuffle):
            before = layers[i - 1]
            assert isinstance(before, nn.Conv2d)
            p = layer.upscale_factor
            for name in ("weight", "bias"):
                values = getattr(before, name).data.unflatten(0, (-1, p * p))
                setattr(before, name, nn.Parameter(values.transpose(0, 1).flatten(0, 1)))
            layers[i] = PixelMajorShuffle(p)
    return nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """``x + conv(silu(conv(silu(x))))`` with 3x3 convolutions; the identity at initialisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(_bias(self.second))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, width, H, W)`` to the same shape."""
        h: Tensor = self.second(F.silu(self.first(F.silu(x))))
        return x + h


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def parameter_count(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters())
