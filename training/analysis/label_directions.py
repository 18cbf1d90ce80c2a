"""Directions of labels and of classes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.analysis.regression import independent_columns, shared_rows
from training.data.dataset import Labels
from vae.directions import (
    Direction,
    WithinLabelSubspace,
    group_direction,
    regressed_directions,
    within_label_subspace,
)

log = logging.getLogger(__name__)

MIN_KNOWN = 20  # images with a known value of a label; also one for each dimension


@dataclass(frozen=True)
class Label:
    """A label that varies.

    Attributes:
        name: of the label.
        values: float32 ``(N,)``, NaN where unknown; 0 and 1 of a label of two values.
        is_binary: whether it has two values.
        change: from what to what its direction goes.
        unit: the length of one step, in values.
    """

    name: str
    values: Tensor
    is_binary: bool
    change: str
    unit: float

    @property
    def steps(self) -> Tensor:
        """The values in steps of the direction, ``(N,)``."""
        return self.values / self.unit

    @property
    def sides(self) -> list[Tensor]:
        """Booleans ``(N,)``: the rows of each of two values, or those whose value is known."""
        if self.is_binary:
            return [self.values == 0, self.values == 1]
        return [self.values.isfinite()]


def varying_labels(labels: Labels) -> list[Label]:
    """The labels that have more than one value, in order.

    Of two values, such as -1 and 1, the lower becomes 0 and the higher 1.
    """
    varying = (_label(name, column) for name, column in labels.items())
    return [label for label in varying if label is not None]


def _label(name: str, column: npt.NDArray[np.float32]) -> Label | None:
    values = torch.from_numpy(column)
    known = column[np.isfinite(column)]
    levels = np.unique(known)
    if len(levels) < 2:
        return None
    if len(levels) > 2:
        unit = float(known.std(ddof=1))
        return Label(name, values, False, f"up by {unit:.3g}, one standard deviation", unit)
    low, high = levels.tolist()
    change = "from without to with" if (low, high) == (0, 1) else f"from {low:g} to {high:g}"
    binary = (values == high).float().where(values.isfinite(), torch.nan)
    return Label(name, binary, True, change, 1.0)


def class_directions(means: Tensor, classes: Sequence[Label]) -> list[tuple[str, Direction]]:
    """Of each class, its mean minus that of the rest; ``means`` is ``(N, D)``."""
    return [
        (
            label.name,
            Direction(
                vector=group_direction(means, label.values),
                meaning=f"{label.name}: from the other classes to this one",
                method="difference of class means",
                count=len(means),
            ),
        )
        for label in classes
    ]


def label_directions(means: Tensor, labels: Sequence[Label]) -> list[tuple[str, Direction]]:
    """What each label adds when the others stay as they are; ``means`` is ``(N, D)``.

    The rows of a regression are those where its labels are known. Another label takes part where
    it is known in at least half of them. A label has no direction if it is known in less than half
    of the images, and in fewer than 20 or fewer than the latents have dimensions.
    """
    least = min(len(means) // 2, max(MIN_KNOWN, means.shape[1]))
    kept = [label for label in labels if _is_known(label, least)]
    collinear: set[frozenset[str]] = set()
    found = []
    for label in kept:
        others = [other for other in kept if other is not label]
        rows, shared = shared_rows(label.sides, [other.values for other in others])
        table = torch.stack([label.steps, *(others[k].steps for k in shared)], dim=1)[rows]
        independent = independent_columns(table, 0)
        names = [others[k].name for k in shared]
        dropped = [name for k, name in enumerate(names, start=1) if k not in independent]
        if dropped:
            collinear.add(frozenset([label.name, *dropped]))
        used = {label.name, *names} - set(dropped)
        method = f"regression on {', '.join(other.name for other in kept if other.name in used)}"
        direction = Direction(
            vector=regressed_directions(means[rows], table[:, [0, *independent]])[0],
            meaning=f"{label.name}: {label.change}",
            method=method + (f"; collinear with {', '.join(dropped)}" if dropped else ""),
            count=int(rows.sum()),
            within_label=_within_label(means, label),
        )
        found.append((label.name, direction))
    for group in sorted(sorted(names) for names in collinear):
        log.warning("labels are collinear, each is measured alone: %s", ", ".join(group))
    return found


def _is_known(label: Label, least: int) -> bool:
    """Whether a label is known in enough images; warns where it is not."""
    known = int(label.values.isfinite().sum())
    if known < least:
        log.warning(
            "label %r has no direction: it is known in %d of %d images, and needs %d",
            label.name,
            known,
            len(label.values),
            least,
        )
    return known >= least


def _within_label(means: Tensor, label: Label) -> WithinLabelSubspace | None:
    """The subspace of a label of two values with enough images of both for their covariances."""
    if not label.is_binary:
        return None
    negatives, positives = (means[side] for side in label.sides)
    return within_label_subspace(positives, negatives)
