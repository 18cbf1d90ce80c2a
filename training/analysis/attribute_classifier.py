"""A classifier of image attributes, such as glasses: its labels, its loss and its accuracy.

One classifier evaluates edits and never takes part in training a model. Another one, trained from
another seed, may be the auxiliary classifier of a training (see ``training.fit.loss``).
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import vae.attribute_classifier
from training.analysis.classifier_networks import build
from training.analysis.encoding import batches
from training.data.dataset import DataError, Dataset
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import CheckpointError

SIZE = 128  # pixels a side of the images that it is trained on


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


def load(path: Path) -> AttributeClassifier:
    """Read a classifier with its test accuracy.

    Raises:
        DataError: if the file is not one that ``save`` wrote.
    """
    try:
        return vae.attribute_classifier.load(path, build)
    except CheckpointError as error:
        raise DataError(str(error)) from None
