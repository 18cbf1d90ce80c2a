"""The detail branch of a decoder: what its least-squares image leaves out, from its own features.

A decoder trained by squared error draws the mean of all images with the same latent, which is
blurred. The best trade-offs between squared error and perceptual quality are blends of that mean
with an image of the distribution of real ones (Freirich et al., "A Theory of the
Distortion-Perception Tradeoff in Wasserstein Space", 2021, arXiv:2107.02555). The branch holds the
difference of the two, so that one pass of the decoder gives every blend.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from vae.networks import ResidualBlock, to_pixel_major

LEVELS = 3  # finest levels of a decoder, whose features the branch reads
HEAD_LAYERS = 3  # activation, convolution, pixel shuffle
STAGE_LAYERS = 2  # of each level beside its residual blocks: a convolution and a pixel shuffle


class DetailBranch(nn.Module):
    """Features of a residual decoder's three finest levels to a difference of pixels.

    It follows the decoder from its third finest level to twice its finest grid, with a residual
    block at each step, and takes in the decoder's features at every level. Its last convolution
    starts at zero, so a new branch adds nothing. 1,377,264 parameters at patch 8, widths 64, 128,
    192 and 48 detail channels.

    Args:
        channels: of an image.
        patch: pixels a side of a cell of the finest grid; even.
        widths: of the decoder's levels, finest first; three or more.
        detail_channels: of the branch at twice the finest grid; at the finest it has twice as many.
    """

    def __init__(
        self, channels: int, patch: int, widths: Sequence[int], detail_channels: int
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths[:LEVELS]
        wide = 2 * detail_channels
        self.coarse = _upsampling(coarse, middle)
        self.middle_skip = nn.Conv2d(middle, middle, 1)
        self.middle = _upsampling(middle, wide)
        self.fine_skip = nn.Conv2d(fine, wide, 1)
        self.fine = _upsampling(wide, detail_channels)
        last = nn.Conv2d(detail_channels, channels * (patch // 2) ** 2, 3, padding=1)
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
        self.head = nn.Sequential(
            ResidualBlock(detail_channels), nn.SiLU(), last, nn.PixelShuffle(patch // 2)
        )

    def forward(self, coarse: Tensor, middle: Tensor, fine: Tensor) -> Tensor:
        """The difference to the least-squares image, ``(N, C, S, S)``, in units of [0, 1].

        Args:
            coarse: the decoder's features ``(N, widths[2], G / 4, G / 4)``; G is its finest grid.
            middle: ``(N, widths[1], G / 2, G / 2)``.
            fine: ``(N, widths[0], G, G)``.
        """
        h = self.coarse(coarse) + self.middle_skip(middle)
        h = self.middle(h) + self.fine_skip(fine)
        residual: Tensor = self.head(self.fine(h))
        return residual

    def to_pixel_major(self) -> None:
        """Put the channels in the order that is faster in channels-last memory, in place."""
        for name in ("coarse", "middle", "fine", "head"):
            setattr(self, name, to_pixel_major(getattr(self, name)))


class TappedDecoder(nn.Module):
    """A residual decoder that returns its features too; it shares the layers of the decoder.

    Args:
        decoder: as ``networks.residual`` builds it.
        blocks: residual blocks a level.
    """

    def __init__(self, decoder: nn.Sequential, blocks: int) -> None:
        super().__init__()
        layers = list(decoder)
        stage = blocks + STAGE_LAYERS
        starts = range(0, len(layers) - HEAD_LAYERS, stage)
        self.stages = nn.ModuleList(nn.Sequential(*layers[i : i + stage]) for i in starts)
        self.head = nn.Sequential(*layers[-HEAD_LAYERS:])

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits ``(N, C, S, S)`` of latents ``(N, D)``; coarse, middle and fine features."""
        features = [z]
        for stage in self.stages:
            features.append(stage(features[-1]))
        coarse, middle, fine = features[-LEVELS:]
        return self.head(fine), coarse, middle, fine


def _upsampling(width: int, out: int) -> nn.Sequential:
    """A residual block, and its features at twice the grid."""
    return nn.Sequential(ResidualBlock(width), nn.Conv2d(width, 4 * out, 1), nn.PixelShuffle(2))
