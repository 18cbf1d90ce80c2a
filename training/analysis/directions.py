"""Directions of labels and tags, fitted to encoded means."""

import numpy as np
from torch import Tensor

from training.analysis.direction_names import expression_names
from training.analysis.label_directions import class_directions, label_directions, varying_labels
from training.analysis.tag_directions import tag_directions, words_of
from training.data.dataset import Dataset, Labels
from vae.directions import Direction


def fit_directions(means: Tensor, data: Dataset) -> dict[str, Direction]:
    """One direction a label and tag, from the encoded means ``(N, D)`` of a labelled data set.

    Labels that vary independently are regressed together, so that each direction is without the
    effects of the others. Labels that determine a label are left out of its regression: its
    complement, its copy, the other classes of a one-hot label. Of classes, of which each image has
    exactly one, a direction is the class mean minus that of the rest. A label of two values is
    measured from the lower to the higher, others in standard deviations.

    A label is left out with a warning if it is known in less than half of the images, and in fewer
    than 20 or fewer than the latents have dimensions. The names are such that expressions can say
    them; the meaning has the name that the data has.
    """
    labels = varying_labels(data.labels)
    found = class_directions(means, labels) if data.exclusive else label_directions(means, labels)
    found += tag_directions(means, labels, data.tags)
    names = expression_names([column for column, _ in found])
    return {name: direction for name, (_, direction) in zip(names, found, strict=True)}


def indicators(data: Dataset) -> Labels:
    """0/1 columns: the labels of two values, and each word of each tag that has few words.

    The labels that are numbers are there as they are.
    """
    columns = dict(data.labels)
    for label in varying_labels(data.labels):
        columns[label.name] = label.values.numpy()
    for tag, words in data.tags.items():
        for word in words_of(words):
            columns[f"{tag}_{word}"] = np.array([w == word for w in words], dtype=np.float32)
    return columns
