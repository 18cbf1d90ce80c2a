"""Directions of labels and tags, fitted to encoded means."""

import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.data.dataset import Dataset, Labels
from vae.directions import (
    Direction,
    WithinLabelSubspace,
    fit_within_label_subspace,
    group_direction,
    regressed_directions,
)

MAX_WORDS = 12  # of a tag; one with more different words is a name or a sentence
MIN_TAGGED = 20  # images
MIN_IMAGES_PER_DIMENSION = 4  # with a label, and without, for a within-label subspace
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")  # as in expressions


@dataclass(frozen=True)
class _Label:
    """A label that varies.

    Attributes:
        name: of the label.
        values: ``(N,)``, NaN where unknown.
        unit: 1 of a 0/1 label, else one standard deviation.
    """

    name: str
    values: Tensor
    unit: float

    @property
    def meaning(self) -> str:
        if self.unit == 1.0:
            return f"{self.name}: from without to with"
        return f"{self.name}: up by {self.unit:.3g}, one standard deviation"


def fit_directions(means: Tensor, data: Dataset) -> dict[str, Direction]:
    """One direction a label and tag, from the encoded means ``(N, D)`` of a labelled data set.

    Labels that vary independently are regressed together, so that each direction is without the
    effects of the others. Of classes, of which each image has exactly one, a direction is the class
    mean minus that of the rest. A label that is not 0 or 1 is measured in standard deviations.
    """
    labels = [label for label in map(_label, data.labels.items()) if label is not None]
    if not labels:
        return {}
    if data.exclusive:
        return {label.name: _class_direction(means, label) for label in labels}
    table = torch.stack([label.values / label.unit for label in labels], dim=1)
    known = table.isfinite().all(dim=1)
    if not known.any():
        return {}
    vectors = regressed_directions(means[known], table[known])
    method = f"regression on {', '.join(label.name for label in labels)}"
    directions = {
        label.name: Direction(
            vector,
            label.meaning,
            method,
            int(known.sum()),
            _within_label(means[known], label, known),
        )
        for label, vector in zip(labels, vectors, strict=True)
    }
    rest = means[known] - table[known] @ vectors
    return directions | _tag_directions(rest, data, known.numpy())


def _label(item: tuple[str, np.ndarray]) -> _Label | None:
    """A label with its unit, or None where it does not vary or is nowhere known."""
    name, column = item
    values = torch.from_numpy(column)
    known = values[values.isfinite()]
    if len(known) < 2 or known.min() == known.max():
        return None
    binary = bool(((known == 0) | (known == 1)).all())
    return _Label(name, values, 1.0 if binary else float(known.std()))


def _class_direction(means: Tensor, label: _Label) -> Direction:
    return Direction(
        vector=group_direction(means, label.values),
        meaning=f"{label.name}: from the other classes to this one",
        method="difference of class means",
        count=len(means),
    )


def _within_label(means: Tensor, label: _Label, known: Tensor) -> WithinLabelSubspace | None:
    """The subspace of a 0/1 label with enough images on both sides for their covariances."""
    positives = label.values[known] > 0.5
    enough = MIN_IMAGES_PER_DIMENSION * means.shape[1]
    if label.unit != 1.0 or min(int(positives.sum()), int((~positives).sum())) < enough:
        return None
    return fit_within_label_subspace(means[positives], means[~positives])


def _tag_directions(rest: Tensor, data: Dataset, known: np.ndarray) -> dict[str, Direction]:
    """What each word of a tag adds to what the labels leave of the latents, ``(N, D)``.

    So ``glasses + frame_color_red`` adds red glasses.
    """
    words = {name: column[known] for name, column in indicators(data).items()}
    words = {k: v for k, v in words.items() if k not in data.labels and v.sum() >= MIN_TAGGED}
    if not words:
        return {}
    table = torch.from_numpy(np.stack(list(words.values()), axis=1))
    vectors = regressed_directions(rest, table)
    return {
        name: Direction(
            vector=vector,
            meaning=f"{name}: from the average to this one, other labels as they are",
            method="regression on all tags of what the labels leave",
            count=int(column.sum()),
        )
        for (name, column), vector in zip(words.items(), vectors, strict=True)
    }


def indicators(data: Dataset) -> Labels:
    """The labels, and a 0/1 column ``TAG_word`` for each word of each tag that has few words."""
    columns = dict(data.labels)
    for tag, words in data.tags.items():
        vocabulary = sorted({word for word in words if word})
        if len(vocabulary) > MAX_WORDS:
            continue
        for word in vocabulary:
            name = f"{tag}_{word}"
            if NAME.fullmatch(name):
                columns[name] = np.array([w == word for w in words], dtype=np.float32)
    return columns
