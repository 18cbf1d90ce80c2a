"""A small network that predicts attributes of images, such as glasses."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vae import tensor_file
from vae.checkpoint import CheckpointError
from vae.pixels import resized

FILE = "auxiliary_classifier.safetensors"  # beside a checkpoint
METADATA_KEY, OLD_METADATA_KEY = "attribute_classifier", "probes"
CONVNET = "convnet"
CONVNET_SIZE = 64  # pixels a side of its input
CONVNET_WIDTHS = (32, 64, 128, 192)
CONVNET_DROPOUT = 0.3

# What reading metadata of other types, or weights of other shapes, raises.
_MALFORMED = (AttributeError, RuntimeError, TypeError, ValueError)


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
        self.width = width * (CONVNET_SIZE // 2 ** len(CONVNET_WIDTHS)) ** 2

    def forward(self, x: Tensor) -> Tensor:
        """Features ``(N, width)`` of images ``(N, 3, 64, 64)`` in [0, 1]."""
        features: Tensor = self.layers(2.0 * x - 1.0)
        return features


class AttributeClassifier(nn.Module):
    """A network with a head of one output a label.

    Args:
        labels: to predict.
        network: name of the backbone.
        backbone: images ``(N, 3, size, size)`` in [0, 1] to features ``(N, width)``.
        size: pixels a side of the backbone's input.
        width: features of an image.

    Attributes:
        labels: in the order of the outputs.
        network: as given.
        size: as given.
        sha256: of the file it was loaded from, empty if it was not.
        accuracy: on the test split, by label, as the file records it.
    """

    def __init__(
        self, labels: Sequence[str], network: str, backbone: nn.Module, size: int, width: int
    ) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.network = network
        self.size = size
        self.sha256 = ""
        self.accuracy: dict[str, float] = {}
        self.backbone = backbone
        self.head = nn.Linear(width, len(self.labels))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, labels)`` of images ``(N, 3, S, S)`` in [0, 1]."""
        logits: Tensor = self.head(self.backbone(resized(x, self.size)))
        return logits

    def probability(self, label: str, x: Tensor) -> Tensor:
        """``(N,)`` in [0, 1]: the probability that each image has the label."""
        return torch.sigmoid(self(x)[:, self.labels.index(label)])

    def identity(self) -> dict[str, Any]:
        """Its hash, network and test accuracy, for figures that it makes."""
        return {"sha256": self.sha256, "network": self.network, "accuracy": self.accuracy}


def convnet_classifier(labels: Sequence[str], network: str = CONVNET) -> AttributeClassifier:
    """A classifier with a ``ConvNet``, before its training.

    Raises:
        ValueError: if ``network`` is another network.
    """
    if network != CONVNET:
        raise ValueError(f"network is {network!r}; it must be {CONVNET!r}")
    backbone = ConvNet()
    return AttributeClassifier(labels, CONVNET, backbone, CONVNET_SIZE, backbone.width)


def load(
    path: Path,
    build: Callable[[Sequence[str], str], AttributeClassifier] = convnet_classifier,
) -> AttributeClassifier:
    """Read a classifier with its test accuracy, in eval mode, in float32.

    Args:
        path: of a file that ``save`` wrote, in float16 or float32.
        build: makes a classifier of labels and the name of a network; raises ``ValueError`` for a
            network that it does not know.

    Raises:
        CheckpointError: if the file is not one that ``save`` wrote, or its network is unknown.
    """
    try:
        file = tensor_file.read(path)
        text = file.metadata.get(METADATA_KEY) or file.metadata[OLD_METADATA_KEY]
        metadata = json.loads(text)
        labels = [str(label) for label in metadata["labels"]]
        if not labels or not all(t.isfinite().all() for t in file.tensors.values()):
            raise ValueError("no labels, or weights that are not finite")
        classifier = build(labels, metadata.get("network", "efficientnet-lite0"))
        classifier.load_state_dict(file.tensors)
        classifier.accuracy = {str(k): float(v) for k, v in metadata["accuracy"].items()}
    except KeyError as error:
        raise _unreadable(path, f"{error} is missing") from None
    except (tensor_file.TensorFileError, *_MALFORMED) as error:
        raise _unreadable(path, " ".join(str(error).split())) from None
    classifier.sha256 = file.sha256
    return classifier.eval()


def save(
    classifier: AttributeClassifier,
    accuracy: dict[str, float],
    path: Path,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a classifier and its test accuracy atomically; missing folders are created.

    Args:
        classifier: to write.
        accuracy: on the test split, by label.
        path: of the file.
        dtype: of the weights in the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "labels": classifier.labels,
        "network": classifier.network,
        "accuracy": accuracy,
    }
    tensors = {
        name: (t.to(dtype) if t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in classifier.state_dict().items()
    }
    tensor_file.write_atomically(path, tensors, {METADATA_KEY: json.dumps(metadata)})


def _unreadable(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path}: no classifier can be read from it ({reason})")


def _convolution(width: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
