"""The three networks of MTCNN, a cascade that finds faces.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks",
IEEE Signal Processing Letters 23 (2016), arXiv:1604.02878, figure 2. Inputs are RGB, ``(x - 127.5)
/ 128`` of values in 0..255. Scores are logits of "this is a face". Box offsets are relative to the
window: left, top, right and bottom, as fractions of its side. Landmarks are five x, then five y,
as fractions of its side from its left and top: left eye, right eye, nose, left and right corner of
the mouth, as seen in the image.
"""

from torch import Tensor, nn

PROPOSAL_SIDE, REFINE_SIDE, OUTPUT_SIDE = 12, 24, 48  # pixels of a window
PROPOSAL_STRIDE = 2  # pixels between two windows of the proposal network


class ProposalNetwork(nn.Module):
    """P-Net: every window of 12 pixels in an image, at a stride of 2; 6,599 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(3, 10, 3),
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolution(10, 16, 3),
            *_convolution(16, 32, 3),
        )
        self.score = nn.Conv2d(32, 1, 1)
        self.box = nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(N, 1, H', W')`` and box offsets ``(N, 4, H', W')`` of ``(N, 3, H, W)``."""
        features = self.layers(x)
        return self.score(features), self.box(features)


class RefineNetwork(nn.Module):
    """R-Net: windows of 24 pixels; 100,049 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(3, 28, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_convolution(28, 48, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_convolution(48, 64, 2),
            *_dense(64 * 3 * 3, 128),
        )
        self.score = nn.Linear(128, 1)
        self.box = nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(N, 1)`` and box offsets ``(N, 4)`` of ``(N, 3, 24, 24)``."""
        features = self.layers(x)
        return self.score(features), self.box(features)


class OutputNetwork(nn.Module):
    """O-Net: windows of 48 pixels; 388,783 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(3, 32, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_convolution(32, 64, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_convolution(64, 64, 3),
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolution(64, 128, 2),
            *_dense(128 * 3 * 3, 256),
        )
        self.score = nn.Linear(256, 1)
        self.box = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores ``(N, 1)``, box offsets ``(N, 4)`` and landmarks ``(N, 10)`` of
        ``(N, 3, 48, 48)``.
        """
        features = self.layers(x)
        return self.score(features), self.box(features), self.landmarks(features)


def _convolution(inputs: int, outputs: int, kernel: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, kernel), nn.PReLU(outputs)


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return nn.Flatten(), nn.Linear(inputs, outputs), nn.PReLU(outputs)
