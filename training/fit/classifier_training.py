"""Training of attribute classifiers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training import progress
from training.analysis.attribute_classifier import (
    cross_entropy,
    label_table,
)
from training.analysis.classifier_networks import SIZES, Network, build
from training.data.augment import Augmentation
from training.data.dataset import Dataset
from vae.attribute_classifier import AttributeClassifier
from vae.pixels import resized, to_float

BLUR_PROBABILITY = 0.5  # of a batch: a VAE's images are blurred
MIN_BLUR_FRACTION = 0.25  # of the input's side, to which the most blurred ones are shrunk
MAX_SHIFT = 16  # images are shifted by up to a side over this
JITTER = 0.1
SHRINK_BATCH = 64  # images


@dataclass(frozen=True)
class Schedule:
    """AdamW with one cycle of the learning rate.

    Attributes:
        network: see ``AttributeClassifier``.
        epochs: passes over the data.
        batch_size: images a step.
        learning_rate: the peak of the cycle.
        weight_decay: of AdamW.
        seed: of the new weights, the order and the augmentation.
    """

    network: Network = "efficientnet-lite0"
    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0


SCHEDULES: dict[Network, Schedule] = {
    "efficientnet-lite0": Schedule(),
    "convnet": Schedule("convnet", 8, 64, learning_rate=2e-3, weight_decay=2e-2),
    "face-resnet": Schedule("face-resnet", 1, learning_rate=5e-4),
}


def train_classifier(
    train: Dataset, labels: Sequence[str], schedule: Schedule, device: torch.device
) -> AttributeClassifier:
    """Train a classifier of 0/1 labels, in eval mode when it is returned.

    An image whose label is unknown does not count for that label.

    Raises:
        DataError: if a label is missing or is not 0 or 1.
    """
    torch.manual_seed(schedule.seed)
    rng = np.random.default_rng(schedule.seed)
    table = label_table(train, labels)
    train = shrunk(train, SIZES[schedule.network])
    augmentation = Augmentation(True, train.images.shape[1] // MAX_SHIFT, JITTER)
    weights = independence_weights(table)
    classifier = build(labels, schedule.network).train()
    classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = max(1, schedule.epochs * (len(train) // schedule.batch_size))
    optimizer = torch.optim.AdamW(
        classifier.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.learning_rate, steps)
    order = np.concatenate([rng.permutation(len(train)) for _ in range(schedule.epochs)])
    for rows in progress.counted(np.array_split(order, steps), len(order)):
        x = augmentation(train.batch(rows), rng).to(device)
        x = _blurred(to_float(x), rng, SIZES[schedule.network])
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
            logits = classifier(x).float()
        loss = cross_entropy(logits, table[rows].to(device), weight=weights[rows].to(device))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        cycle.step()
    return classifier.eval()


def shrunk(data: Dataset, size: int) -> Dataset:
    """The images at ``size`` pixels a side, if they are larger.

    Once before the epochs: augmentation and resizing of large images took more time than the
    small network.
    """
    if data.images.shape[1] <= size:
        return data
    rows = np.array_split(np.arange(len(data)), -(-len(data) // SHRINK_BATCH))
    planes = [
        resized(data.batch(part).permute(0, 3, 1, 2), size)
        for part in progress.counted(rows, len(data))
    ]
    images = torch.cat(planes).permute(0, 2, 3, 1).contiguous().numpy()
    return replace(data, images=images, rows=np.arange(len(data)))


def independence_weights(table: Tensor) -> Tensor:
    """Weights of the images ``(N,)`` under which their labels are independent of one another.

    Where more men than women wear glasses, a classifier would take glasses for a sign of a man, and
    an edit of the glasses for one of the sex. Every combination of labels has the weight that it
    would have if they were independent, over its own (Kamiran & Calders, "Data preprocessing
    techniques for classification without discrimination", 2012: reweighing). An image with an
    unknown label has weight 1.

    Args:
        table: 0, 1 or NaN, ``(N, labels)``.
    """
    weights = torch.ones(len(table))
    known = table.isfinite().all(1)
    rows = table[known]
    combinations, which, counts = torch.unique(rows, dim=0, return_inverse=True, return_counts=True)
    ones = rows.mean(0)
    expected = torch.where(combinations == 1, ones, 1 - ones).prod(1) * len(rows)
    weights[known] = (expected / counts)[which]
    return weights


def _blurred(x: Tensor, rng: np.random.Generator, size: int) -> Tensor:
    """The batch at the classifier's size, at random by way of a smaller size."""
    x = resized(x, size)
    if rng.random() >= BLUR_PROBABILITY:
        return x
    small = int(rng.integers(int(MIN_BLUR_FRACTION * size), size))
    return F.interpolate(resized(x, small), (size, size), mode="bicubic").clamp(0.0, 1.0)
