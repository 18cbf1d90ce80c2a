"""Edits of photographs, whose correct result is not known: what attribute classifiers predict."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training import progress
from training.analysis.encoding import BATCH, batches, device_of, encoded_means
from training.data.dataset import DataError, Dataset
from training.evaluate.reconstruction import psnr
from training.evaluate.smoothness import smoothness
from vae.attribute_classifier import AttributeClassifier
from vae.checkpoint import Checkpoint
from vae.directions import Direction, apply_directions, group_direction

WEIGHTS = (1.0, 1.25, 1.5)
EYES = (0.25, 0.55)  # of the height, in aligned faces
CONFIDENT = 0.9
LABELS = ("glasses", "male")
SUM_COUNT = 200
SUM_IMAGES = 3  # whose mean latent is one term of a sum
SUMS = {  # glasses and male (1 or 0) of the three terms; the result has the sums of them
    "men with - men without + women without": ((1, 1), (0, 1), (0, 0)),
    "women with - women without + men without": ((1, 0), (0, 0), (0, 1)),
    "men with - women with + women without": ((1, 1), (1, 0), (0, 0)),
}

Rows = npt.NDArray[np.int64]


def evaluate_edits(
    checkpoint: Checkpoint, train: Dataset, test: Dataset, classifier: AttributeClassifier
) -> dict[str, Any]:
    """Figures of reconstructions, edits, sums and paths of faces, by a classifier's predictions.

    Args:
        checkpoint: with a direction ``glasses``.
        train: for the directions by group means, to compare the named ones with.
        test: labelled ``glasses`` and ``male``.
        classifier: of both labels.

    Returns:
        ``classifier``: see ``AttributeClassifier.identity``. ``recall``: the fraction of images
        with glasses whose reconstructions have glasses; ``false_positive_rate``: likewise of those
        without. ``accuracy_by_group``: see ``EditEvaluator.accuracy_by_group``.
        ``sex_changed_by_reconstruction``: of the images whose sex is predicted as it is labelled,
        the fraction whose reconstruction is predicted to be of the other sex. ``edits`` by method
        and weight: see ``EditEvaluator.edit``. ``sums``: see ``EditEvaluator.sums``.
        ``smoothness``: see ``training.evaluate.smoothness``.

    Raises:
        DataError: if the test split does not have the labels.
    """
    require_labels(test)
    evaluator = EditEvaluator(checkpoint, test, classifier)
    means = encoded_means(checkpoint.model, train)
    regression = checkpoint.directions["glasses"]
    group_means = group_direction(means, torch.from_numpy(train.labels["glasses"]))
    methods = {
        "regression": regression,
        "regression, without within-label subspace": replace(regression, within_label=None),
        "group means": replace(regression, vector=group_means, within_label=None),
    }
    without, with_glasses = (np.flatnonzero(test.labels["glasses"] == value) for value in (0, 1))
    return {
        "classifier": classifier.identity(),
        "recall": evaluator.positive_rate("glasses", with_glasses),
        "false_positive_rate": evaluator.positive_rate("glasses", without),
        "accuracy_by_group": evaluator.accuracy_by_group(),
        "sex_changed_by_reconstruction": evaluator.sex_changed_by_reconstruction(),
        "edits": {
            method: {str(w): evaluator.edit(without, with_glasses, w, d) for w in WEIGHTS}
            for method, d in methods.items()
        },
        "sums": evaluator.sums(),
        "smoothness": smoothness(checkpoint.model, evaluator.means),
    }


def require_labels(data: Dataset) -> None:
    """Check that edits can be evaluated on data.

    Raises:
        DataError: if the labels are not there, or not every combination of them is.
    """
    for label in LABELS:
        if label not in data.labels:
            raise DataError(f"to evaluate edits the data needs a label {label!r}, which it has not")
    for glasses, male in product((0, 1), (0, 1)):
        if not ((data.labels["glasses"] == glasses) & (data.labels["male"] == male)).any():
            raise DataError(
                f"no test image has glasses {glasses} and male {male}; evaluating edits needs one"
            )


class EditEvaluator:
    """Evaluates edits of the images of one data set, whose latents are encoded once.

    Args:
        checkpoint: whose model encodes and decodes.
        data: labelled ``glasses`` and ``male``.
        classifier: of both labels.
    """

    def __init__(
        self, checkpoint: Checkpoint, data: Dataset, classifier: AttributeClassifier
    ) -> None:
        self.model, self.data, self.classifier = checkpoint.model, data, classifier
        self.device = device_of(checkpoint.model)
        self.means = encoded_means(checkpoint.model, data)
        self.reconstructions = self.drawn(self.means)
        self.before = self.probabilities(self.reconstructions)
        self.originals = self.probabilities(
            torch.cat([x.cpu() for x in batches(data, self.device)])
        )
        self.groups = {
            f"{sex} {wearing}": (data.labels["male"] == male) & (data.labels["glasses"] == glasses)
            for male, sex in enumerate(("women", "men"))
            for glasses, wearing in enumerate(("without glasses", "with glasses"))
        }

    def accuracy_by_group(self) -> dict[str, dict[str, float]]:
        """By group and label, the fraction of the images themselves that are predicted right."""
        return {
            group: {label: float(np.mean(self._right(label)[rows])) for label in LABELS}
            for group, rows in self.groups.items()
        }

    def sex_changed_by_reconstruction(self) -> float:
        """The fraction of reconstructions of the other sex, of images that are predicted right."""
        return float(self._flipped()[self._right("male")].mean())

    def positive_rate(self, label: str, rows: Rows) -> float:
        """The fraction of the reconstructions of these rows that are predicted to have a label."""
        return float(np.mean(self.before[label][rows] > 0.5))

    @torch.inference_mode()
    def drawn(self, z: Tensor) -> Tensor:
        """The decodes ``(N, C, S, S)`` of latents ``(N, D)``, on the CPU."""
        parts = progress.counted(torch.split(z, BATCH), len(z))
        return torch.cat([self.model.decode(part.to(self.device)).cpu() for part in parts])

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> dict[str, npt.NDArray[np.float32]]:
        """By label, the probabilities ``(N,)`` of images ``(N, C, S, S)``."""
        logits = [self.classifier(x.to(self.device)).cpu() for x in torch.split(images, BATCH)]
        found = torch.sigmoid(torch.cat(logits)).numpy()
        return {label: found[:, self.classifier.labels.index(label)] for label in LABELS}

    def edit(
        self, without: Rows, with_glasses: Rows, weight: float, direction: Direction
    ) -> dict[str, float]:
        """Add a direction to the faces without glasses, and subtract it from those with.

        Returns:
            ``put_on`` and ``taken_off``: fractions of the edits after which glasses are, or are
            not, predicted; ``sex_changed``: the fraction whose predicted sex is another than that
            of the reconstruction, of those whose reconstruction is confidently predicted (above 0.9
            or below 0.1); ``sex_changed_raw``: of the images whose sex is predicted as it is
            labelled, the fraction whose predicted sex is another after the edit;
            ``sex_changed_beyond_reconstruction``: the same, less the fraction of reconstructions of
            which it is true; ``sex_changed_worst_group``: the largest of these differences in a
            group (sex by glasses); ``outside_eyes_psnr_db``: PSNR of the edit to the reconstruction
            outside the eyes.
        """
        added = apply_directions(self.means[without], [(weight, direction)])
        removed = apply_directions(self.means[with_glasses], [(-weight, direction)])
        rows = np.concatenate([without, with_glasses])
        edited = self.drawn(torch.cat([added, removed]))
        predicted = self.probabilities(edited)
        on, off = np.split(predicted["glasses"] > 0.5, [len(without)])
        outside = psnr(outside_eyes(edited), outside_eyes(self.reconstructions[rows]))
        return {
            "put_on": float(on.mean()),
            "taken_off": float(1 - off.mean()),
            **self._sex_changed(rows, predicted["male"] > 0.5),
            "outside_eyes_psnr_db": float(outside.mean()),
        }

    def _sex_changed(self, rows: Rows, male: npt.NDArray[np.bool_]) -> dict[str, float]:
        """The ``sex_changed`` figures of ``edit``, of what is predicted of the edits of rows."""
        before = self.before["male"][rows]
        changed = (before > 0.5) != male
        confident = (before > CONFIDENT) | (before < 1 - CONFIDENT)
        raw = male != (self.originals["male"][rows] > 0.5)
        beyond = raw.astype(float) - self._flipped()[rows]
        right = self._right("male")
        groups = [(group & right)[rows] for group in self.groups.values()]
        return {
            "sex_changed": float((changed & confident).sum() / max(1, confident.sum())),
            "sex_changed_raw": float(raw[right[rows]].mean()),
            "sex_changed_beyond_reconstruction": float(beyond[right[rows]].mean()),
            "sex_changed_worst_group": max(float(beyond[g].mean()) for g in groups if g.any()),
        }

    def _flipped(self) -> npt.NDArray[np.bool_]:
        """The images whose reconstruction is predicted to be of another sex than they are."""
        before, originals = (p["male"] > 0.5 for p in (self.before, self.originals))
        flipped: npt.NDArray[np.bool_] = before != originals
        return flipped

    def _right(self, label: str) -> npt.NDArray[np.bool_]:
        """The images of which a label is predicted as it is."""
        right: npt.NDArray[np.bool_] = (self.originals[label] > 0.5) == self.data.labels[label]
        return right

    def sums(self) -> dict[str, dict[str, float]]:
        """The tutorial's sums of three mean latents, each of three faces, 200 times.

        Returns:
            by sum, the fractions of results whose predicted ``glasses`` and ``sex`` are correct.
        """
        rng = np.random.default_rng(0)
        labels = self.data.labels

        def mean_latents(glasses: int, male: int) -> Tensor:
            rows = np.flatnonzero((labels["glasses"] == glasses) & (labels["male"] == male))
            means = [self.means[rng.choice(rows, SUM_IMAGES)].mean(0) for _ in range(SUM_COUNT)]
            return torch.stack(means)

        fractions = {}
        for name, terms in SUMS.items():
            a, b, c = (mean_latents(*term) for term in terms)
            z = a - b + c
            glasses, male = (one - other + third for one, other, third in zip(*terms, strict=True))
            predicted = self.probabilities(self.drawn(z))
            correct = (predicted["glasses"] > 0.5) == glasses
            correct_sex = (predicted["male"] > 0.5) == male
            fractions[name] = {
                "glasses": float(np.mean(correct)),
                "sex": float(np.mean(correct_sex)),
            }
        return fractions


def outside_eyes(x: Tensor) -> Tensor:
    """The rows of aligned faces ``(N, C, S, S)`` above and below the eyes."""
    size = x.shape[2]
    return x[:, :, [*range(int(EYES[0] * size)), *range(int(EYES[1] * size), size)]]
