"""A network that was trained to tell people apart, for the classifier that evaluates edits.

The network is the face recognition ResNet of dlib. Its weights are in the public domain (CC0) and
come inside a package: King, "Dlib-ml: A Machine Learning Toolkit", JMLR 2009; He et al., "Deep
Residual Learning for Image Recognition", 2016.
"""

from collections.abc import Sequence
from pathlib import Path

import face_recognition_models
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.analysis import dlib_file

SIZE = 128  # pixels a side of the input
MARGIN = 11  # pixels around it, so that aligned faces are as large as those of dlib's training
MEAN = (122.782, 117.001, 104.298)  # of dlib's training images: red, green, blue
SCALE = 256.0
WIDTH = 256  # features of an image
STEM_WIDTH = 32
# Channels and blocks of each level. All levels but the first halve the sides.
LOWER_LEVELS = ((32, 3), (64, 4), (128, 3))
UPPER_LEVELS = ((256, 3), (256, 1))


class FaceNetwork(nn.Module):
    """The face recognition network up to its last average, with its weights.

    Only the upper levels take part in a training. 5,581,824 parameters.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        stem = nn.Conv2d(3, STEM_WIDTH, 7, 2)
        self.lower = nn.Sequential(
            stem,
            _Affine(STEM_WIDTH),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            *_blocks(LOWER_LEVELS, STEM_WIDTH, halved_first=False),
        )
        self.upper = nn.Sequential(*_blocks(UPPER_LEVELS, LOWER_LEVELS[-1][0], halved_first=True))
        self._load(Path(face_recognition_models.face_recognition_model_location()).read_bytes())
        self.lower.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Features ``(N, 256)`` of aligned faces ``(N, 3, 128, 128)`` in [0, 1]."""
        x = F.pad(x, [MARGIN] * 4, mode="replicate")
        features: Tensor = self.upper(self.lower((255.0 * x - self.mean) / SCALE))
        return features.mean((2, 3))

    def _load(self, data: bytes) -> None:
        convolutions = [m for m in self.modules() if isinstance(m, nn.Conv2d)]
        affine = [m for m in self.modules() if isinstance(m, _Affine)]
        with torch.no_grad():
            for layer, values in zip(convolutions, dlib_file.tensors(data, b"con_4"), strict=True):
                weight, bias = torch.tensor_split(values, [layer.weight.numel()])
                layer.weight.copy_(weight.view_as(layer.weight))
                layer.bias.copy_(bias)  # type: ignore[union-attr]
            for factor, values in zip(affine, dlib_file.tensors(data, b"affine_"), strict=True):
                gain, shift = values.chunk(2)
                factor.gain.copy_(gain.view_as(factor.gain))
                factor.shift.copy_(shift.view_as(factor.shift))


class _Affine(nn.Module):
    """A factor and a term of each channel: batch normalisation with constant statistics."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain + self.shift


class _Block(nn.Module):
    """Two convolutions and a shortcut without weights; ``halved`` halves the sides."""

    def __init__(self, channels: int, out: int, halved: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, out, 3, *((2, 0) if halved else (1, 1))),
            _Affine(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, padding=1),
            _Affine(out),
        )
        self.shortcut = nn.AvgPool2d(2) if halved else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both; what one lacks is zero: last channels, rows below and columns."""
        residual, x = self.layers(x), self.shortcut(x)
        shape = [max(sides) for sides in zip(residual.shape, x.shape, strict=True)]
        return F.relu(_extended(residual, shape) + _extended(x, shape))


def _extended(x: Tensor, shape: Sequence[int]) -> Tensor:
    channels, height, width = (to - side for to, side in zip(shape[1:], x.shape[1:], strict=True))
    return F.pad(x, (0, width, 0, height, 0, channels))


def _blocks(
    levels: Sequence[tuple[int, int]], channels: int, *, halved_first: bool
) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for level, (out, count) in enumerate(levels):
        for index in range(count):
            halved = index == 0 and (level > 0 or halved_first)
            blocks.append(_Block(channels, out, halved))
            channels = out
    return blocks
