"""Named directions of the latent space: how they are fitted, and how they edit a latent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_SHRINKAGE = 0.5  # of an axis: spread without the label, as a fraction of the spread with it
MIN_IMAGES_PER_DIMENSION = 4  # with a label, and without, for a within-label subspace
ROUNDING = 1e-9  # relative; a smaller variance or eigenvalue is 0 in exact arithmetic


@dataclass(frozen=True)
class WithinLabelSubspace:
    """Axes along which images with a label vary and others do not: for glasses, the frames.

    Attributes:
        rows: ``(K, D)``, orthogonal, each of length ``sqrt(1 - shrinkage)``, at most 1.
        centre: ``(K,)``, the rows' products with the mean latent of images with the label.
    """

    rows: Tensor
    centre: Tensor

    def residual(self, z: Tensor) -> Tensor:
        """The part of latents ``(N, D)`` or ``(D,)`` inside the subspace, measured from its centre.

        For glasses: how this frame differs from the mean frame. Of the shape of ``z``.
        """
        return (z @ self.rows.T - self.centre) @ self.rows


@dataclass(frozen=True)
class Direction:
    """A named edit: ``z + w * vector`` moves a latent ``w`` mean steps from without to with.

    Attributes:
        vector: ``(D,)``; its length is the mean step from label 0 to label 1.
        meaning: one line for users.
        method: how it was computed.
        count: images it was computed from.
        within_label: of a 0/1 label with enough images on both sides, else None.
    """

    vector: Tensor
    meaning: str
    method: str
    count: int
    within_label: WithinLabelSubspace | None = None

    def of(self, exemplar: Tensor) -> "ExemplarDirection":
        """This direction as an exemplar shows it: for glasses, the exemplar's own pair.

        Args:
            exemplar: latents ``(N, D)`` or ``(D,)`` with the label.

        Raises:
            ValueError: if the direction has no within-label subspace.
        """
        if self.within_label is None:
            raise ValueError("the direction has no within-label subspace")
        return ExemplarDirection(self.vector, self.within_label.residual(exemplar))

    def change(self, z: Tensor, weight: float) -> Tensor:
        """What an edit of this weight, not 0, adds to latents ``(N, D)`` or ``(D,)``."""
        step = weight * self.vector
        if weight > 0.0 or self.within_label is None:
            return step
        return step + max(weight, -1.0) * self.within_label.residual(z)


@dataclass(frozen=True)
class ExemplarDirection:
    """The mean step of a direction, and how an exemplar differs from the mean of its label.

    Attributes:
        vector: ``(D,)``, of the direction.
        residual: of the exemplar in the within-label subspace, ``(N, D)`` or ``(D,)``.
    """

    vector: Tensor
    residual: Tensor

    def change(self, z: Tensor, weight: float) -> Tensor:  # noqa: ARG002 -- as of Direction
        """What an edit of this weight adds to latents, whatever they are: ``(N, D)`` or ``(D,)``.

        The residual is removed at most once, like that of ``z`` by a ``Direction``: removed again,
        it would be the difference to the mean with the opposite sign.
        """
        return weight * self.vector + max(weight, -1.0) * self.residual


def apply_directions(
    z: Tensor, terms: Sequence[tuple[float, Direction | ExemplarDirection]]
) -> Tensor:
    """Latents ``(N, D)`` or ``(D,)`` with directions added and removed, of the same shape.

    The weights of one direction (the same object) are summed first. A direction with a positive sum
    adds its mean step. One with a negative sum is removed: besides the mean step, what ``z`` has in
    its within-label subspace goes, in proportion to the weight and at most once. Otherwise removing
    the mean glasses would leave the difference between these glasses and the mean ones. That
    residual is taken from ``z`` as it comes in, so the order of the terms does not matter, and what
    is added in the same sum is never removed. An ``ExemplarDirection`` adds and removes the
    residual of its exemplar instead: ``z - d`` is ``z - d.of(z)``.

    Args:
        z: latents to edit; unchanged to the last bit where all sums are zero.
        terms: pairs of weight and direction.
    """
    weights: dict[int, float] = {}
    directions: dict[int, Direction | ExemplarDirection] = {}
    for weight, direction in terms:
        weights[id(direction)] = weights.get(id(direction), 0.0) + weight
        directions[id(direction)] = direction
    edited = z
    for key, weight in weights.items():
        if weight != 0.0:
            edited = edited + directions[key].change(z, weight)
    return edited


def within_label_subspace(positives: Tensor, negatives: Tensor) -> WithinLabelSubspace | None:
    """``fit_within_label_subspace`` where both groups are enough for their covariances, else None.

    Args:
        positives: latents ``(N, D)`` with the label.
        negatives: latents ``(M, D)`` without it.
    """
    least = MIN_IMAGES_PER_DIMENSION * positives.shape[1]
    if min(len(positives), len(negatives)) < least:
        return None
    return fit_within_label_subspace(positives, negatives)


def fit_within_label_subspace(positives: Tensor, negatives: Tensor) -> WithinLabelSubspace | None:
    """The subspace of a label, from latents ``(N, D)`` with it and ``(M, D)`` without it.

    Its axes are those along which the optimal transport of a Gaussian fitted to the first onto one
    fitted to the second more than halves the distances: Peyré & Cuturi, "Computational Optimal
    Transport", 2019, remark 2.31. None if there is no such axis.
    """
    mean, covariance = positives.double().mean(0), _covariance(positives)
    root, inverse = _power(covariance, 0.5), _power(covariance, -0.5)
    product = root @ _covariance(negatives) @ root
    shrinkage, axes = torch.linalg.eigh(inverse @ _power(product, 0.5) @ inverse)
    selected = shrinkage < MAX_SHRINKAGE
    if not selected.any():
        return None
    rows = (axes[:, selected] * (1.0 - shrinkage[selected].clamp_min(0.0)).sqrt()).T
    return WithinLabelSubspace(rows.float().contiguous(), (rows @ mean).float())


def _covariance(rows: Tensor) -> Tensor:
    """Of rows ``(N, D)``, float64 ``(D, D)``, also where D is 1."""
    dim = rows.shape[1]
    return torch.cov(rows.double().T).reshape(dim, dim)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive matrix; eigenvalues have a floor of 1e-6 of the largest."""
    values, axes = torch.linalg.eigh(matrix)
    floor = 1e-6 * values[-1].clamp_min(1e-12)
    power: Tensor = axes * values.clamp_min(floor) ** exponent @ axes.T
    return power


def group_direction(means: Tensor, label: Tensor) -> Tensor:
    """Mean latent of rows with label above 0.5 minus that of the rest, ``(D,)``.

    The usual method of tutorials. It includes the effect of whatever correlates with the label.
    """
    positives = label > 0.5
    return means[positives].mean(0) - means[~positives].mean(0)


def regressed_directions(means: Tensor, labels: Tensor) -> Tensor:
    """What one unit of each label adds to a latent when the other labels stay as they are.

    Ordinary least squares of the encoded means ``(N, D)`` on all labels ``(N, K)`` at once: Hastie
    et al., "The Elements of Statistical Learning", 2009, equation 3.6. Both are centred first, so
    no direction has a share of the mean latent. Row k of the result ``(K, D)`` is without the other
    labels' effects.

    Of collinear labels, which have no unique solution, it is the one of least norm, where each
    label counts in standard deviations. Its rows are not the steps of those labels alone: that of
    a label and its complement is half the step. A label that does not vary has the row 0.
    """
    columns, latents = _centred(labels), _centred(means)
    spread = columns.norm(dim=0)
    varies = spread > ROUNDING * labels.double().norm(dim=0)
    unit = torch.where(varies, spread, math.inf)
    scaled = columns / unit
    inverse = torch.linalg.pinv(scaled.T @ scaled, rtol=ROUNDING, hermitian=True)
    solution: Tensor = inverse @ (scaled.T @ latents) / unit[:, None]
    return solution.float()


def _centred(rows: Tensor) -> Tensor:
    """Rows ``(N, K)`` minus their mean, float64."""
    return rows.double() - rows.double().mean(0)
