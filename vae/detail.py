"""The detail branch of a decoder: what its least-squares image leaves out, from its own features.

A decoder trained by squared error draws the mean of all images with the same latent, which is
blurred. The best trade-offs between squared error and perceptual quality are blends of that mean
with an image of the distribution of real ones (Freirich et al., "A Theory of the
Distortion-Perception Tradeoff in Wasserstein Space", 2021, arXiv:2107.02555). The branch computes
the difference of the two, so that one pass of the decoder's trunk gives every blend.
"""

import torch
from torch import Tensor, nn

from vae.networks import ResidualBlock, to_pixel_major

HEAD_LAYERS = 3  # of a residual decoder: activation, convolution, pixel shuffle
DETAIL_BLOCKS = 2


class DetailBranch(nn.Module):
    """Features of a residual decoder's trunk to a difference of pixels.

    It computes at twice the decoder's finest grid. Its last convolution starts at zero, so a new
    branch adds nothing. 214,704 parameters for 64 features, patch 8 and 48 detail channels.

    Args:
        channels: of an image.
        patch: pixels a side of a cell of the decoder's finest grid; even.
        features: channels of the trunk's output.
        detail_channels: of the branch.
    """

    def __init__(self, channels: int, patch: int, features: int, detail_channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(detail_channels, channels * (patch // 2) ** 2, 3, padding=1)
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
        self.layers: nn.Module = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(features, 4 * detail_channels, 3, padding=1),
            nn.PixelShuffle(2),
            *(ResidualBlock(detail_channels) for _ in range(DETAIL_BLOCKS)),
            nn.SiLU(),
            last,
            nn.PixelShuffle(patch // 2),
        )

    def forward(self, features: Tensor) -> Tensor:
        """The difference to the least-squares image, ``(N, C, S, S)``, in units of [0, 1].

        Args:
            features: of the trunk, ``(N, F, S / patch, S / patch)``.
        """
        residual: Tensor = self.layers(features)
        return residual

    @torch.no_grad()
    def scale(self, factor: float) -> None:
        """Multiply the residual by a factor, in place."""
        assert isinstance(self.layers, nn.Sequential)
        for parameter in self.layers[-2].parameters():  # the last convolution
            parameter.mul_(factor)

    def to_pixel_major(self) -> None:
        """Put the channels in the order that is faster in channels-last memory, in place."""
        self.layers = to_pixel_major(self.layers)


def split_decoder(decoder: nn.Sequential) -> tuple[nn.Sequential, nn.Sequential]:
    """A residual decoder as trunk and head, which share its layers."""
    return decoder[:-HEAD_LAYERS], decoder[-HEAD_LAYERS:]
