"""Edits of photographs, of which no true answer is known: what probes make of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.analysis.attribute_classifier import AttributeClassifier
from training.analysis.statistics import BATCH, device_of, encoded_means
from training.data.sources import DataError, Dataset
from training.evaluate.reconstruction import psnr
from vae import latent
from vae.checkpoint import Checkpoint
from vae.directions import Direction, apply_directions, group_direction
from vae.pixels import to_float

WEIGHTS = (1.0, 1.25, 1.5)
EYES = (0.25, 0.55)  # of the height, in aligned faces
CONFIDENT = 0.9
TRIPLES = 200
SUMS = {  # the glasses and the sex (1 is male) of its three groups; the answer has the sums of them
    "men with - men without + women without": ((1, 1), (0, 1), (0, 0)),
    "women with - women without + men without": ((1, 0), (0, 0), (0, 1)),
    "men with - women with + women without": ((1, 1), (1, 0), (0, 0)),
}
PATHS = 60
STEPS = 16


def judge(
    checkpoint: Checkpoint, train: Dataset, test: Dataset, probes: AttributeClassifier
) -> dict[str, Any]:
    """How reconstructions, edits, sums and paths of faces fare, by probes of glasses and sex.

    Args:
        checkpoint: with a direction ``glasses``.
        train: for the directions by group means, to compare the named ones with.
        test: labelled ``glasses`` and ``male``.
        probes: of both labels.

    Returns:
        ``judge``: hash and test accuracy of the probes. ``kept`` and ``gained``: shares of the
        pictures with and without glasses whose reconstructions wear some. ``edits`` by method and
        weight: shares of plain faces that wear glasses after ``+ glasses`` and of others that wear
        none after ``- glasses``; the share whose judged sex changed, of those whose reconstruction
        the probe was sure of (above 0.9 or below 0.1); PSNR of the edit to the plain reconstruction
        outside the eyes, in dB; ``preserved`` shares, with the change added to the original pixels.
        ``sums``: the tutorial's three sums, see ``_sums``. ``smoothness``: largest over mean step
        of 16 pictures of a path, root mean square in pixels, mean over pairs of test pictures.
    """
    require_labels(test)
    judged = EditEvaluator(checkpoint, test, probes)
    codes = encoded_means(checkpoint.model, train)
    named = checkpoint.directions["glasses"]
    group = group_direction(codes, torch.from_numpy(train.labels["glasses"]))
    methods = {
        "regression": named,
        "regression, without kinds": replace(named, within_label=None),
        "group means": replace(named, vector=group, within_label=None),
    }
    plain, worn = (np.flatnonzero(test.labels["glasses"] == value) for value in (0, 1))
    return {
        "judge": {"sha256": probes.sha256, "accuracy": probes.accuracy},
        "kept": judged.share("glasses", worn),
        "gained": judged.share("glasses", plain),
        "edits": {
            method: {str(w): judged.edit(plain, worn, w, direction) for w in WEIGHTS}
            for method, direction in methods.items()
        },
        "sums": judged.sums(),
        "smoothness": judged.smoothness(),
    }


def require_labels(data: Dataset) -> None:
    """Check that data can be judged by.

    Raises:
        DataError: if the labels are not there, or not every combination of them is.
    """
    for label in ("glasses", "male"):
        if label not in data.labels:
            raise DataError(f"to judge edits the data needs a label {label!r}, which it has not")
    for glasses, male in product((0, 1), (0, 1)):
        if not ((data.labels["glasses"] == glasses) & (data.labels["male"] == male)).any():
            raise DataError(f"no test picture has glasses {glasses} and male {male} to judge by")


class EditEvaluator:
    def __init__(self, checkpoint: Checkpoint, data: Dataset, probes: AttributeClassifier) -> None:
        self.model, self.data, self.probes = checkpoint.model, data, probes
        self.device = device_of(checkpoint.model)
        self.means = encoded_means(checkpoint.model, data)

    def share(self, label: str, rows: np.ndarray) -> float:
        """Of the reconstructions of these rows that are judged to have the label."""
        return float(np.mean(self.probability(label, self.means[rows]) > 0.5))

    @torch.inference_mode()
    def probability(
        self, label: str, z: Tensor, change: Callable[[Tensor, slice], Tensor] | None = None
    ) -> np.ndarray:
        """Judged on the decodes of ``(N, D)``, or on what ``change`` makes of them."""
        found = []
        for where in _parts(len(z)):
            x = self.model.decode(z[where].to(self.device))
            x = x if change is None else change(x, where)
            found.append(self.probes.probability(label, x).cpu())
        return torch.cat(found).numpy()

    def edit(
        self, plain: np.ndarray, worn: np.ndarray, weight: float, direction: Direction
    ) -> dict[str, float]:
        """The shares and figures of one edit, put on the plain faces and taken off the others."""
        on = apply_directions(self.means[plain], [(weight, direction)])
        off = apply_directions(self.means[worn], [(-weight, direction)])
        rows = np.concatenate([plain, worn])
        edited = torch.cat([on, off])
        before = self.probability("male", self.means[rows])
        after = self.probability("male", edited)
        changed = (before > 0.5) != (after > 0.5)
        sure = (before > CONFIDENT) | (before < 1 - CONFIDENT)
        return {
            "put on": float(np.mean(self.probability("glasses", on) > 0.5)),
            "taken off": float(np.mean(self.probability("glasses", off) < 0.5)),
            "sex changed": float((changed & sure).sum() / max(1, sure.sum())),
            "outside_eyes_psnr_db": self._outside(edited, self.means[rows]),
            "put on, preserved": float(np.mean(self._preserved(plain, on) > 0.5)),
            "taken off, preserved": float(np.mean(self._preserved(worn, off) < 0.5)),
        }

    def _preserved(self, rows: np.ndarray, edited: Tensor) -> np.ndarray:
        """Probability of glasses with the change added to the original pixels."""

        def change(x: Tensor, where: slice) -> Tensor:
            original = to_float(self.data.batch(rows[where]).to(self.device))
            base = self.model.decode(self.means[rows[where]].to(self.device))
            return (original + x - base).clamp(0, 1)

        return self.probability("glasses", edited, change)

    @torch.inference_mode()
    def _outside(self, edited: Tensor, base: Tensor) -> float:
        size = self.model.config.size
        kept = [*range(int(EYES[0] * size)), *range(int(EYES[1] * size), size)]
        found = []
        for where in _parts(len(edited)):
            pair = [self.model.decode(z[where].to(self.device)) for z in (edited, base)]
            found.append(psnr(pair[0][:, :, kept], pair[1][:, :, kept]).cpu())
        return float(torch.cat(found).mean())

    def sums(self) -> dict[str, dict[str, float]]:
        """The tutorial's sums of three mean codes, each of three people, 200 times.

        The share of answers that are judged as the words say, in both labels.
        """
        rng = np.random.default_rng(0)
        worn, male = self.data.labels["glasses"], self.data.labels["male"]

        def codes(glasses: int, sex: int) -> Tensor:
            rows = np.flatnonzero((worn == glasses) & (male == sex))
            return torch.stack([self.means[rng.choice(rows, 3)].mean(0) for _ in range(TRIPLES)])

        found = {}
        for name, groups in SUMS.items():
            a, b, c = (codes(*group) for group in groups)
            z = a - b + c
            glasses, sex = (one - other + third for one, other, third in zip(*groups, strict=True))
            right = (self.probability("glasses", z) > 0.5) == glasses
            right_sex = (self.probability("male", z) > 0.5) == sex
            found[name] = {"glasses": float(np.mean(right)), "sex": float(np.mean(right_sex))}
        return found

    @torch.inference_mode()
    def smoothness(self) -> float:
        """Largest over mean step along paths, in root mean square of pixels."""
        ratios = []
        for a, b in list(pairwise(self.means))[:PATHS]:
            x = self.model.decode(latent.path(a, b, STEPS).to(self.device))
            steps = (x[1:] - x[:-1]).square().flatten(1).mean(1).sqrt()
            ratios.append(float(steps.max() / steps.mean().clamp_min(1e-12)))
        return float(np.mean(ratios))


def _parts(count: int) -> Iterator[slice]:
    return (slice(i, i + BATCH) for i in range(0, count, BATCH))
