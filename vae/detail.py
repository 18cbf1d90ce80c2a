"""The detail branch of a decoder: what its least-squares image leaves out, from its own features.

A decoder trained by squared error draws the mean of all images with the same latent, which is
blurred. The best trade-offs between squared error and perceptual quality are blends of that mean
with an image of the distribution of real ones (Freirich et al., "A Theory of the
Distortion-Perception Tradeoff in Wasserstein Space", 2021, arXiv:2107.02555). The branch computes
the difference of the two, so that one pass of the shared trunk gives every blend.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from vae.networks import ResidualBlock, to_pixel_major

LEVELS = 3  # finest levels of a decoder: the trunk ends at the coarsest, the branch has the others
HEAD_LAYERS = 3  # activation, convolution, pixel shuffle
STAGE_LAYERS = 2  # of each level beside its residual blocks: a convolution and a pixel shuffle
DETAIL_BLOCKS = 1  # at twice the finest grid; a second one would cost half a decode more


class DetailBranch(nn.Module):
    """Features of a residual decoder's third finest level to a difference of pixels.

    It has the decoder's two finest stages once more, as weights of its own, and goes on to twice
    the finest grid. Its last convolution starts at zero, so a new branch adds nothing. 575,696
    parameters at patch 8, widths 64, 128, 192, one block a level and 48 detail channels.

    Args:
        channels: of an image.
        patch: pixels a side of a cell of the finest grid; even.
        widths: of the decoder's levels, finest first; three or more.
        blocks: residual blocks a level of the decoder.
        detail_channels: of the branch at twice the finest grid.
    """

    def __init__(
        self, channels: int, patch: int, widths: Sequence[int], blocks: int, detail_channels: int
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths[:LEVELS]
        self.middle = _stage(coarse, middle, blocks)
        self.fine = _stage(middle, fine, blocks)
        self.detail = _stage(fine, detail_channels, DETAIL_BLOCKS)
        last = nn.Conv2d(detail_channels, channels * (patch // 2) ** 2, 3, padding=1)
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
        self.head = nn.Sequential(nn.SiLU(), last, nn.PixelShuffle(patch // 2))

    def forward(self, features: Tensor) -> Tensor:
        """The difference to the least-squares image, ``(N, C, S, S)``, in units of [0, 1].

        Args:
            features: of the decoder, ``(N, widths[2], G / 4, G / 4)``; G is its finest grid.
        """
        residual: Tensor = self.head(self.detail(self.fine(self.middle(features))))
        return residual

    def copy_stages(self, decoder: "TappedDecoder") -> None:
        """Take over the weights of the decoder's two finest stages, as those to begin with."""
        self.middle.load_state_dict(decoder.stages[-2].state_dict())
        self.fine.load_state_dict(decoder.stages[-1].state_dict())

    def to_pixel_major(self) -> None:
        """Put the channels in the order that is faster in channels-last memory, in place."""
        for name in ("middle", "fine", "detail", "head"):
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

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(N, C, S, S)`` of latents ``(N, D)``, and the features for the branch."""
        features = [z]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return self.head(features[-1]), features[-LEVELS]


def _stage(width: int, out: int, blocks: int) -> nn.Sequential:
    """Features at twice the grid, as a level of ``networks.residual`` begins."""
    upsampled = [nn.Conv2d(width, 4 * out, 1), nn.PixelShuffle(2)]
    return nn.Sequential(*upsampled, *(ResidualBlock(out) for _ in range(blocks)))
