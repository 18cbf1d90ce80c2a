"""Probes: classifiers of pictures.

One judges edits and never takes part in making them; another, trained apart from another seed, may
be the guide of a training (see ``training.fit.loss``).
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from training.analysis.features import WIDTH, Backbone, resized
from training.analysis.statistics import batches
from training.data.augment import Augmentation
from training.data.sources import DataError, Dataset
from vae.pixels import to_float
from vae.tensor_file import write_atomically

SIZE = 128  # pixels a side of what the network looks at
BLURRED = 0.5  # share of the pictures that it sees blurred, as a VAE draws them
MIN_BLUR_SIZE = 32  # pixels a side to which the most blurred ones are shrunk
NORM_MOMENTUM = 0.1  # ImageNet's running statistics must give way to those of faces
AUGMENTATION = Augmentation(flip=True, shift=8, jitter=0.1)


class AttributeClassifier(nn.Module):
    """EfficientNet-Lite0, begun with ImageNet weights, with one output a label."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.sha256 = ""  # of the file they came from
        self.accuracy: dict[str, float] = {}  # on the test split, as that file has it
        self.backbone = Backbone()
        for layer in self.backbone.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = NORM_MOMENTUM
        self.head = nn.Linear(WIDTH, len(self.labels))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, labels)`` of pictures ``(N, 3, S, S)`` in [0, 1]."""
        logits: Tensor = self.head(self.backbone(resized(x, SIZE)))
        return logits

    def probability(self, label: str, x: Tensor) -> Tensor:
        """``(N,)``: how sure the probe is that each picture has the label."""
        return torch.sigmoid(self(x)[:, self.labels.index(label)])


@dataclass(frozen=True)
class Schedule:
    """How probes are trained: AdamW with one cycle of the learning rate."""

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0


def fit(
    train: Dataset, labels: Sequence[str], schedule: Schedule, device: torch.device
) -> AttributeClassifier:
    """Train probes of 0/1 labels; pictures whose label is not known do not count for it.

    Raises:
        DataError: if a label is missing or is not 0 or 1.
    """
    torch.manual_seed(schedule.seed)
    rng = np.random.default_rng(schedule.seed)
    table = label_table(train, labels)
    weights = independence_weights(table)
    probes = AttributeClassifier(labels).to(device).train()
    steps = max(1, schedule.epochs * (len(train) // schedule.batch_size))
    optimizer = torch.optim.AdamW(
        probes.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.learning_rate, steps)
    order = np.concatenate([rng.permutation(len(train)) for _ in range(schedule.epochs)])
    for rows in np.array_split(order, steps):
        x = AUGMENTATION(train.batch(rows), rng).to(device)
        logits = probes(_blurred(to_float(x), rng))
        loss = cross_entropy(logits, table[rows].to(device), weight=weights[rows].to(device))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        cycle.step()
    return probes.eval()


def label_table(data: Dataset, labels: Sequence[str]) -> Tensor:
    """What is known of each picture: 0, 1 or NaN, ``(pictures, labels)``.

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
        raise DataError(f"a probe needs a label of 0 and 1, and {label!r} is not one")
    return column


def independence_weights(table: Tensor) -> Tensor:
    """Weights of the pictures ``(N,)`` under which their labels do not depend on one another.

    Where more men than women wear glasses, a probe takes glasses for a sign of a man, and an edit
    of the glasses for one of the sex. Every combination of labels weighs what it would if they were
    independent, over what it has (Kamiran and Calders, "Data preprocessing techniques for
    classification without discrimination", 2012: reweighing). A picture with a label that is not
    known weighs 1.

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


def cross_entropy(
    logits: Tensor, truth: Tensor, positive: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Mean binary cross-entropy in nats; what is not known (NaN) does not count.

    Args:
        logits: ``(N, labels)``.
        truth: of the same shape; 0, 1 or NaN.
        positive: weight of the ones.
        weight: of the pictures, ``(N,)``; by default all weigh 1.
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


def _blurred(x: Tensor, rng: np.random.Generator) -> Tensor:
    """The batch at the probes' size, some of it by way of a smaller size."""
    x = resized(x, SIZE)
    if rng.random() >= BLURRED:
        return x
    small = int(rng.integers(MIN_BLUR_SIZE, SIZE))
    return F.interpolate(resized(x, small), (SIZE, SIZE), mode="bicubic").clamp(0.0, 1.0)


@torch.inference_mode()
def accuracy(probes: AttributeClassifier, data: Dataset) -> dict[str, float]:
    """Share of the pictures of known label that each probe gets right."""
    device = next(probes.parameters()).device
    judged = torch.cat([probes(x).cpu() > 0 for x in batches(data, device)])
    found = {}
    for label, column in zip(probes.labels, judged.T.numpy(), strict=True):
        truth = data.labels[label]
        known = np.isfinite(truth)
        found[label] = (
            float(np.mean(column[known] == (truth[known] > 0.5))) if known.any() else math.nan
        )
    return found


def save(probes: AttributeClassifier, found: dict[str, float], path: Path) -> None:
    """Write probes with their test accuracy beside them, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"labels": probes.labels, "accuracy": found}
    tensors = {k: v.detach().cpu().contiguous() for k, v in probes.state_dict().items()}
    write_atomically(path, tensors, {"probes": json.dumps(facts)})


def load(path: Path) -> AttributeClassifier:
    """Read probes with their test accuracy.

    Raises:
        DataError: if the file is not one that ``save`` wrote.
    """
    try:
        with safe_open(path, framework="pt") as reader:
            facts = json.loads((reader.metadata() or {})["probes"])
            tensors = {k: reader.get_tensor(k) for k in reader.keys()}  # noqa: SIM118
        probes = AttributeClassifier(facts["labels"])
        probes.load_state_dict(tensors)
        probes.accuracy = dict(facts["accuracy"])
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise DataError(f"{path}: no probes can be read from it ({error})") from None
    probes.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return probes.eval()
