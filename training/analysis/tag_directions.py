"""Directions of the words of tags."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.analysis.label_directions import Label
from training.analysis.regression import (
    MIN_TOLERANCE,
    category_effects,
    shared_rows,
    tolerances,
)
from vae.directions import Direction

log = logging.getLogger(__name__)

MAX_WORDS = 12  # of a tag; one with more different words is a name or a sentence
MIN_TAGGED = 20  # images


@dataclass(frozen=True)
class _Tag:
    """The categories of a tag: its frequent words and, if there are any, all other rows.

    Attributes:
        name: of the tag.
        words: the frequent ones.
        columns: float32 0/1 ``(N, K)``; the words' come first.
    """

    name: str
    words: list[str]
    columns: Tensor


def words_of(tag: Sequence[str]) -> list[str]:
    """The different words of a tag that has few of them, sorted; of any other tag none."""
    vocabulary = sorted({word for word in tag if word})
    return vocabulary if len(vocabulary) <= MAX_WORDS else []


def tag_directions(
    means: Tensor, labels: Sequence[Label], tags: Mapping[str, Sequence[str]]
) -> list[tuple[str, Direction]]:
    """What each word of a tag adds to the average, when labels and other tags stay as they are.

    So ``glasses + frame_color_red`` adds red glasses. A word that the labels determine has no
    direction. A tag that determines a category of another is left out of its regression.

    Args:
        means: encoded means ``(N, D)``.
        labels: those known in at least half of the images take part.
        tags: N words a tag, empty where it has none.
    """
    everywhere = [torch.ones(len(means), dtype=torch.bool)]
    rows, shared = shared_rows(everywhere, [label.values for label in labels])
    means = means[rows]
    known = torch.stack([labels[k].steps for k in shared], dim=1)[rows] if shared else means[:, :0]
    categories = [_tag(name, words, rows) for name, words in tags.items()]
    categories = [tag for tag in categories if tag.words]
    found = []
    for tag in categories:
        free = (tolerances(tag.columns, known) >= MIN_TOLERANCE).nonzero().flatten().tolist()
        words = [k for k in free if k < len(tag.words)]
        if not words:
            continue
        others = [other for other in categories if other is not tag]
        collinear = [other for other in others if _determines(other, tag.columns[:, free], known)]
        used = [other.columns for other in others if other not in collinear]
        effects = category_effects(means, tag.columns, torch.cat([known, *used], dim=1))
        method = "regression on all labels and tags"
        if collinear:
            method += f"; collinear with {', '.join(other.name for other in collinear)}"
            log.warning("tag %s: %s", tag.name, method)
        found += [_direction(tag, k, effects[k], method) for k in words]
    return found


def _tag(name: str, words: Sequence[str], rows: Tensor) -> _Tag:
    """The categories of a tag in these rows, booleans ``(N,)``."""
    chosen = [word for word, is_known in zip(words, rows.tolist(), strict=True) if is_known]
    frequent = [word for word in words_of(words) if chosen.count(word) >= MIN_TAGGED]
    columns = [torch.tensor([float(w == word) for w in chosen]) for word in frequent]
    rest = torch.tensor([float(w not in frequent) for w in chosen])
    return _Tag(name, frequent, torch.stack([*columns, rest] if rest.any() else columns, dim=1))


def _determines(tag: _Tag, columns: Tensor, labels: Tensor) -> bool:
    """Whether a tag, with labels, determines one of the columns ``(N, K)``."""
    left = tolerances(columns, torch.cat([labels, tag.columns], dim=1))
    return bool((left < MIN_TOLERANCE).any())


def _direction(tag: _Tag, k: int, effect: Tensor, method: str) -> tuple[str, Direction]:
    """The direction of word k, and its column's name."""
    column = f"{tag.name}_{tag.words[k]}"
    meaning = f"{column}: from the average to this one, other labels as they are"
    return column, Direction(effect, meaning, method, int(tag.columns[:, k].sum()))
