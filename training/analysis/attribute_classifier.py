"""A classifier of image attributes, such as glasses: the network, its loss and its file.

One classifier evaluates edits and never takes part in training a model. Another one, trained from
another seed, may be the auxiliary classifier of a training (see ``training.fit.loss``).
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.analysis.classifier_networks import NETWORKS, Network, build, to_input
from training.analysis.encoding import batches
from training.data.dataset import DataError, Dataset
from vae import tensor_file

SIZE = 128  # pixels a side of the images that it is trained on
METADATA_KEY, OLD_METADATA_KEY = "attribute_classifier", "probes"


class AttributeClassifier(nn.Module):
    """A network with a head of one output a label.

    Args:
        labels: to predict.
        network: ``efficientnet-lite0``, with ImageNet weights, or ``convnet``, with new weights.

    Attributes:
        labels: in the order of the outputs.
        sha256: of the file it was loaded from, empty if it was not.
        accuracy: on the test split, by label, as the file records it.
    """

    def __init__(self, labels: Sequence[str], network: Network = "efficientnet-lite0") -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.network = network
        self.sha256 = ""
        self.accuracy: dict[str, float] = {}
        self.backbone, width = build(network)
        self.head = nn.Linear(width, len(self.labels))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, labels)`` of images ``(N, 3, S, S)`` in [0, 1]."""
        logits: Tensor = self.head(self.backbone(to_input(self.network, x)))
        return logits

    def probability(self, label: str, x: Tensor) -> Tensor:
        """``(N,)`` in [0, 1]: the probability that each image has the label."""
        return torch.sigmoid(self(x)[:, self.labels.index(label)])

    def identity(self) -> dict[str, Any]:
        """Its hash, network and test accuracy, for figures that it makes."""
        return {"sha256": self.sha256, "network": self.network, "accuracy": self.accuracy}


def label_table(data: Dataset, labels: Sequence[str]) -> Tensor:
    """The labels of each image: 0, 1 or NaN (unknown), ``(N, labels)``.

    Raises:
        DataError: if a label is missing or is not 0 or 1.
    """
    return torch.from_numpy(np.stack([_column(data, label) for label in labels], axis=1)).float()


def _column(data: Dataset, label: str) -> np.ndarray:
    column = data.labels.get(label)
    if column is None:
        raise DataError(f"there is no label {label!r}; the labels are {sorted(data.labels)}")
    known = column[np.isfinite(column)]
    if not np.isin(known, (0, 1)).all() or len(np.unique(known)) < 2:
        raise DataError(f"a classifier needs a label of 0 and 1, and {label!r} is not one")
    return column


def cross_entropy(
    logits: Tensor, truth: Tensor, positive: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Mean binary cross-entropy in nats over the known labels.

    Args:
        logits: ``(N, labels)``.
        truth: of the same shape; 0, 1 or NaN (unknown, not counted).
        positive: weight of the ones.
        weight: of the images, ``(N,)``; by default all have weight 1.
    """
    known = truth.isfinite()
    if not known.any():
        return 0.0 * logits.sum()
    return F.binary_cross_entropy_with_logits(
        logits[known],
        truth[known],
        weight=None if weight is None else weight[:, None].expand_as(truth)[known],
        pos_weight=torch.tensor(positive, device=logits.device),
    )


@torch.inference_mode()
def accuracy(classifier: AttributeClassifier, data: Dataset) -> dict[str, float]:
    """By label, the fraction of images of known label that are classified right; NaN of none."""
    device = next(classifier.parameters()).device
    predicted = torch.cat([classifier(x).cpu() > 0 for x in batches(data, device)])
    fractions = {}
    for label, column in zip(classifier.labels, predicted.T.numpy(), strict=True):
        truth = data.labels[label]
        known = np.isfinite(truth)
        right = column[known] == (truth[known] > 0.5)
        fractions[label] = float(np.mean(right)) if known.any() else math.nan
    return fractions


def save(classifier: AttributeClassifier, accuracy: dict[str, float], path: Path) -> None:
    """Write a classifier and its test accuracy atomically; missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "labels": classifier.labels,
        "network": classifier.network,
        "accuracy": accuracy,
    }
    tensors = {k: v.detach().cpu().contiguous() for k, v in classifier.state_dict().items()}
    tensor_file.write_atomically(path, tensors, {METADATA_KEY: json.dumps(metadata)})


def load(path: Path) -> AttributeClassifier:
    """Read a classifier with its test accuracy.

    Raises:
        DataError: if the file is not one that ``save`` wrote.
    """
    try:
        file = tensor_file.read(path)
        text = file.metadata.get(METADATA_KEY) or file.metadata[OLD_METADATA_KEY]
        metadata = json.loads(text)
        network = metadata.get("network", "efficientnet-lite0")
        if network not in NETWORKS:
            raise ValueError(f"network is {network!r}; choose from {NETWORKS}")
        classifier = AttributeClassifier(metadata["labels"], network)
        classifier.load_state_dict(file.tensors)
        classifier.accuracy = dict(metadata["accuracy"])
    except (tensor_file.TensorFileError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{path}: no classifier can be read from it ({error})") from None
    classifier.sha256 = file.sha256
    return classifier.eval()
