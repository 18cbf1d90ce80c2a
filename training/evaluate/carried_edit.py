"""Frames that are carried from one face to another, ``receiver + glasses(giver)``."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.analysis.encoding import BATCH, device_of, encoded_means
from training.data.dataset import Dataset
from training.evaluate.edit_evaluation import outside_eyes
from training.evaluate.kernel_distance import eyes
from training.evaluate.reconstruction import psnr
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.directions import apply_directions
from vae.model import VAE
from vae.pixels import to_float

LABEL = "glasses"
WEIGHTS = (1.0, 1.5)
PAIRS = 100


def applies(checkpoint: Checkpoint, test: Dataset) -> bool:
    """Whether ``glasses`` has a within-label subspace, and the data two givers and receivers."""
    direction = checkpoint.directions.get(LABEL)
    if direction is None or direction.within_label is None or LABEL not in test.labels:
        return False
    return _count(test) >= 2


@torch.inference_mode()
def carried_edits(
    checkpoint: Checkpoint, test: Dataset, classifier: AttributeClassifier | None = None
) -> dict[str, dict[str, float]]:
    """Whether carried frames are those of their givers, on aligned faces.

    At most 100 givers with glasses and as many receivers without are paired; both are evenly spaced
    over the test split. What is carried is the change of the eyes' pixels from
    ``receiver + w*glasses`` to ``receiver + w*glasses(giver)``, which has neither the receiver's
    face nor the mean frame. By cosine similarity it is compared with a reference of its giver and
    with those of all other givers. References are centred: their mean over the givers is 0.

    Args:
        checkpoint: ``applies`` to it and to the data.
        test: labelled ``glasses``.
        classifier: of ``male``.

    Returns:
        by weight: ``closer_to_giver``, the fraction of the comparisons in which the giver's own
        reference is more similar than another's, 0.5 by chance; the reference is the photograph
        minus the decode of ``giver - glasses``. ``closer_to_photograph``: the same, the reference
        is the photograph, which does not depend on the model, and shows the giver's eyes and skin
        too. ``outside_eyes_psnr_db``: PSNR of the result to the receiver's reconstruction outside
        the eyes. ``sex_unchanged``, with a classifier: the fraction of results whose predicted sex
        is that of the receiver's reconstruction.
    """
    model, direction = checkpoint.model, checkpoint.directions[LABEL]
    count = _count(test)
    receivers, givers = (
        test.rows_at(np.flatnonzero(test.labels[LABEL] == value)).evenly_spaced(count)
        for value in (0, 1)
    )
    receiver, giver = encoded_means(model, receivers), encoded_means(model, givers)
    photographs = eyes(to_float(givers.batch(range(count))))
    bare = eyes(_decoded(model, apply_directions(giver, [(-1.0, direction)])))
    before = _decoded(model, receiver)
    found = {}
    for weight in WEIGHTS:
        result = _decoded(model, apply_directions(receiver, [(weight, direction.of(giver))]))
        mean_frame = _decoded(model, apply_directions(receiver, [(weight, direction)]))
        carried = eyes(result) - eyes(mean_frame)
        scores = {
            "closer_to_giver": closer_to_own(carried, photographs - bare),
            "closer_to_photograph": closer_to_own(carried, photographs),
            "outside_eyes_psnr_db": float(psnr(outside_eyes(result), outside_eyes(before)).mean()),
        }
        if classifier is not None:
            unchanged = _male(classifier, result) == _male(classifier, before)
            scores["sex_unchanged"] = float(unchanged.float().mean())
        found[str(weight)] = scores
    return found


def closer_to_own(changes: Tensor, references: Tensor) -> float:
    """The fraction of pairs (i, j), i not j, in which change i is closer to reference i than to j.

    Closer is the larger cosine similarity to the reference minus the mean of all references. A
    change of zero is closer to none.

    Args:
        changes: ``(N, ...)``.
        references: of the same shape.
    """
    directions = (references - references.mean(0)).flatten(1)
    similarity = F.normalize(changes.flatten(1)) @ F.normalize(directions).T
    closer = similarity.diagonal()[:, None] > similarity
    return float(closer.sum() / (len(closer) * (len(closer) - 1)))


def _count(test: Dataset) -> int:
    return min(PAIRS, *(int((test.labels[LABEL] == value).sum()) for value in (0, 1)))


def _decoded(model: VAE, z: Tensor) -> Tensor:
    """Images ``(N, C, S, S)`` on the CPU of latents ``(N, D)``."""
    device = device_of(model)
    return torch.cat([model.decode(part.to(device)).cpu() for part in torch.split(z, BATCH)])


def _male(classifier: AttributeClassifier, x: Tensor) -> Tensor:
    """Which images ``(N, C, S, S)`` are predicted to be of men, ``(N,)``."""
    device = next(classifier.parameters()).device
    parts = [
        classifier.probability("male", part.to(device)).cpu() for part in torch.split(x, BATCH)
    ]
    return torch.cat(parts) > 0.5
