"""The networks that attribute classifiers may have: images to features."""

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor, nn

from training.analysis.features import WIDTH, Backbone, resized

Network = Literal["efficientnet-lite0", "convnet"]
NETWORKS: Sequence[Network] = get_args(Network)

NORM_MOMENTUM = 0.1  # ImageNet's running statistics have to adapt to those of faces
SIZES: dict[Network, int] = {"efficientnet-lite0": 128, "convnet": 64}  # pixels a side of the input
CONVNET_WIDTHS = (32, 64, 128, 192)
CONVNET_DROPOUT = 0.3


class ConvNet(nn.Module):
    """Five 3x3 convolutions with batch normalisation on images of 64 x 64, from new weights.

    Nothing of it was trained on other images, so its errors are its own: it evaluates what was
    trained by a loss with EfficientNet-Lite0. 647,808 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for out in CONVNET_WIDTHS:
            layers += [*_convolution(width, out), nn.MaxPool2d(2)]
            width = out
        self.layers = nn.Sequential(
            *layers, *_convolution(width, width), nn.Flatten(), nn.Dropout(CONVNET_DROPOUT)
        )
        self.width = width * (SIZES["convnet"] // 2 ** len(CONVNET_WIDTHS)) ** 2

    def forward(self, x: Tensor) -> Tensor:
        """Features ``(N, width)`` of images ``(N, 3, 64, 64)`` in [0, 1]."""
        features: Tensor = self.layers(2.0 * x - 1.0)
        return features


def build(network: Network) -> tuple[nn.Module, int]:
    """A network before its training, and the number of its features."""
    if network == "convnet":
        convnet = ConvNet()
        return convnet, convnet.width
    backbone = Backbone()
    for layer in backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = NORM_MOMENTUM
    return backbone, WIDTH


def to_input(network: Network, x: Tensor) -> Tensor:
    """Images ``(N, 3, S, S)`` at the network's size."""
    return resized(x, SIZES[network])


def _convolution(width: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
