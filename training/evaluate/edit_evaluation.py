"""Edits of photographs, whose correct result is not known: what attribute classifiers predict."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.analysis.attribute_classifier import AttributeClassifier
from training.analysis.encoding import BATCH, device_of, encoded_means
from training.data.dataset import DataError, Dataset
from training.evaluate.reconstruction import psnr
from vae import latent
from vae.checkpoint import Checkpoint
from vae.directions import Direction, apply_directions, group_direction
from vae.pixels import to_float

WEIGHTS = (1.0, 1.25, 1.5)
EYES = (0.25, 0.55)  # of the height, in aligned faces
CONFIDENT = 0.9
SUM_COUNT = 200
SUM_IMAGES = 3  # whose mean latent is one term of a sum
SUMS = {  # glasses and male (1 or 0) of the three terms; the result has the sums of them
    "men with - men without + women without": ((1, 1), (0, 1), (0, 0)),
    "women with - women without + men without": ((1, 0), (0, 0), (0, 1)),
    "men with - women with + women without": ((1, 1), (1, 0), (0, 0)),
}
PATHS = 60
PATH_STEPS = 16

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
        ``classifier``: its hash and test accuracy. ``recall``: the fraction of images with glasses
        whose reconstructions have glasses; ``false_positive_rate``: likewise of those without.
        ``edits`` by method and weight: see ``EditEvaluator.edit``. ``sums``: see
        ``EditEvaluator.sums``. ``smoothness``: largest over mean step along paths of 16 images,
        root mean square in pixels, mean over pairs of test images.

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
        "classifier": {"sha256": classifier.sha256, "accuracy": classifier.accuracy},
        "recall": evaluator.positive_rate("glasses", with_glasses),
        "false_positive_rate": evaluator.positive_rate("glasses", without),
        "edits": {
            method: {str(w): evaluator.edit(without, with_glasses, w, d) for w in WEIGHTS}
            for method, d in methods.items()
        },
        "sums": evaluator.sums(),
        "smoothness": evaluator.smoothness(),
    }


def require_labels(data: Dataset) -> None:
    """Check that edits can be evaluated on data.

    Raises:
        DataError: if the labels are not there, or not every combination of them is.
    """
    for label in ("glasses", "male"):
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

    def positive_rate(self, label: str, rows: Rows) -> float:
        """The fraction of the reconstructions of these rows that are predicted to have a label."""
        return float(np.mean(self.probability(label, self.means[rows]) > 0.5))

    @torch.inference_mode()
    def probability(
        self, label: str, z: Tensor, change: Callable[[Tensor, slice], Tensor] | None = None
    ) -> npt.NDArray[np.float32]:
        """The probabilities of a label, ``(N,)``.

        Args:
            label: of the classifier.
            z: latents ``(N, D)``, which are decoded.
            change: makes the images to look at from the decoded ones and their slice of ``z``.
        """
        probabilities = []
        for part in _slices(len(z)):
            x = self.model.decode(z[part].to(self.device))
            x = x if change is None else change(x, part)
            probabilities.append(self.classifier.probability(label, x).cpu())
        return torch.cat(probabilities).numpy()

    def edit(
        self, without: Rows, with_glasses: Rows, weight: float, direction: Direction
    ) -> dict[str, float]:
        """Add a direction to the faces without glasses, and subtract it from those with.

        Returns:
            ``put_on`` and ``taken_off``: fractions of the edits after which glasses are, or are
            not, predicted; ``sex_changed``: the fraction whose predicted sex changed, of those
            whose reconstruction is confidently predicted (above 0.9 or below 0.1);
            ``outside_eyes_psnr_db``: PSNR of the edit to the reconstruction outside the eyes;
            ``put_on_preserved`` and ``taken_off_preserved``: with the change added to the original
            pixels.
        """
        added = apply_directions(self.means[without], [(weight, direction)])
        removed = apply_directions(self.means[with_glasses], [(-weight, direction)])
        rows = np.concatenate([without, with_glasses])
        edited = torch.cat([added, removed])
        before = self.probability("male", self.means[rows])
        after = self.probability("male", edited)
        changed = (before > 0.5) != (after > 0.5)
        confident = (before > CONFIDENT) | (before < 1 - CONFIDENT)
        return {
            "put_on": float(np.mean(self.probability("glasses", added) > 0.5)),
            "taken_off": float(np.mean(self.probability("glasses", removed) < 0.5)),
            "sex_changed": float((changed & confident).sum() / max(1, confident.sum())),
            "outside_eyes_psnr_db": self._outside_eyes(edited, self.means[rows]),
            "put_on_preserved": float(np.mean(self._preserved(without, added) > 0.5)),
            "taken_off_preserved": float(np.mean(self._preserved(with_glasses, removed) < 0.5)),
        }

    def _preserved(self, rows: Rows, edited: Tensor) -> npt.NDArray[np.float32]:
        """Probability of glasses with the change added to the original pixels."""

        def change(x: Tensor, part: slice) -> Tensor:
            original = to_float(self.data.batch(rows[part]).to(self.device))
            reconstruction = self.model.decode(self.means[rows[part]].to(self.device))
            return (original + x - reconstruction).clamp(0, 1)

        return self.probability("glasses", edited, change)

    @torch.inference_mode()
    def _outside_eyes(self, edited: Tensor, z: Tensor) -> float:
        """Mean PSNR in dB between the decodes of two batches of latents, outside the eyes."""
        size = self.model.config.size
        rows = [*range(int(EYES[0] * size)), *range(int(EYES[1] * size), size)]
        scores = []
        for part in _slices(len(edited)):
            a, b = (self.model.decode(latents[part].to(self.device)) for latents in (edited, z))
            scores.append(psnr(a[:, :, rows], b[:, :, rows]).cpu())
        return float(torch.cat(scores).mean())

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
            correct = (self.probability("glasses", z) > 0.5) == glasses
            correct_sex = (self.probability("male", z) > 0.5) == male
            fractions[name] = {
                "glasses": float(np.mean(correct)),
                "sex": float(np.mean(correct_sex)),
            }
        return fractions

    @torch.inference_mode()
    def smoothness(self) -> float:
        """Largest over mean step along paths, in root mean square of pixels."""
        ratios = []
        for a, b in list(pairwise(self.means))[:PATHS]:
            x = self.model.decode(latent.path(a, b, PATH_STEPS).to(self.device))
            steps = (x[1:] - x[:-1]).square().flatten(1).mean(1).sqrt()
            ratios.append(float(steps.max() / steps.mean().clamp_min(1e-12)))
        return float(np.mean(ratios))


def _slices(count: int) -> Iterator[slice]:
    return (slice(i, i + BATCH) for i in range(0, count, BATCH))
