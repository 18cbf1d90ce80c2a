"""Latent operations: pure functions on float32 CPU tensors, one latent a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

Method = Literal["slerp", "lerp"]

MAX_SHRINKAGE = 0.5  # share of an axis' spread that pictures without a label may have too


@dataclass(frozen=True)
class LatentStatistics:
    """Mean ``(D,)`` and covariance ``(D, D)`` of the encoded means over the training set."""

    mean: Tensor
    covariance: Tensor

    @cached_property
    def factor(self) -> Tensor:
        """The symmetric ``L`` with ``L @ L.T`` equal to the covariance, ``(D, D)``.

        Unlike a Cholesky factor it exists where the covariance is singular: with collapsed
        dimensions, or fewer pictures than dimensions.
        """
        variances, axes = torch.linalg.eigh(self.covariance.double())
        factor: Tensor = axes * variances.clamp_min(0.0).sqrt() @ axes.T
        return factor.float()

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """``mean + temperature * L @ noise``: standard normal rows ``(N, D)`` to prior draws.

        Ex-post density estimation with one full Gaussian: Ghosh et al., "From Variational to
        Deterministic Autoencoders", 2020, section 4.
        """
        return self.mean + temperature * _products([self.factor] * len(noise), noise)


@dataclass(frozen=True)
class GaussianMixture:
    """A prior of K Gaussians, fitted to encoded means after the training.

    Ex-post density estimation: Ghosh et al., "From Variational to Deterministic Autoencoders",
    2020, section 4. Where the codes of a data set lie in clumps, one Gaussian draws from the gaps
    between them too; a mixture does not.

    Attributes:
        weights: ``(K,)``, their sum is 1.
        means: ``(K, D)``.
        factors: ``(K, D, D)``, a square root of each covariance.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    @cached_property
    def _bounds(self) -> Tensor:
        return self.weights.cumsum(0)

    def sample(self, noise: Tensor, choice: Tensor, temperature: float = 1.0) -> Tensor:
        """Prior draws ``(N, D)``: ``mean_k + temperature * L_k @ noise``.

        Args:
            noise: standard normal rows ``(N, D)``.
            choice: uniform numbers ``(N,)`` in [0, 1), each of which picks a component k.
            temperature: scale of the noise; at 0 a draw is the mean of its component.
        """
        last = len(self.weights) - 1
        k = torch.searchsorted(self._bounds, choice, right=True).clamp_max(last)
        return self.means[k] + temperature * _products([self.factors[i] for i in k], noise)


def _products(matrices: Sequence[Tensor], rows: Tensor) -> Tensor:
    """``matrix @ row`` of each pair, ``(N, D)``, to the last bit the same alone and among others.

    One product for all would round by how many rows there are, and a row that is not copied by
    where it lies in memory.
    """
    return torch.stack([matrix @ row.clone() for matrix, row in zip(matrices, rows, strict=True)])


@dataclass(frozen=True)
class WithinLabelSubspace:
    """What pictures with a label differ in among themselves, and others do not: of glasses, frames.

    Attributes:
        rows: ``(K, D)``, orthogonal, each of a length up to 1: how much of it the others lack.
        centre: ``(K,)``, the rows' products with the mean latent of pictures with the label.
    """

    rows: Tensor
    centre: Tensor

    def residual(self, z: Tensor) -> Tensor:
        """The part of latents ``(N, D)`` or ``(D,)`` that is their own kind, of the same shape."""
        return (z @ self.rows.T - self.centre) @ self.rows


@dataclass(frozen=True)
class Direction:
    """A named edit: ``z + w * vector`` takes a latent ``w`` mean steps from without to with.

    Taken away, it takes its kinds along, see ``apply_directions``.

    Attributes:
        vector: ``(D,)``; its length is the mean step from label 0 to label 1.
        meaning: one line for people.
        method: how it was made.
        count: pictures it was made from.
        within_label: of a label of which there are enough pictures.
    """

    vector: Tensor
    meaning: str
    method: str
    count: int
    within_label: WithinLabelSubspace | None = None


def seeded_noise_and_uniform(seeds: Sequence[int], dim: int) -> tuple[Tensor, Tensor]:
    """``seeded_noise``, and one number in [0, 1) a seed, ``(len(seeds),)``, drawn after those of it."""
    rows, numbers = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        rows.append(torch.randn(dim, generator=generator))
        numbers.append(torch.rand(1, generator=generator))
    return torch.stack(rows), torch.cat(numbers)


def seeded_noise(seeds: Sequence[int], dim: int) -> Tensor:
    """Standard normal noise ``(len(seeds), dim)``; a row depends on its own seed alone."""
    rows = [torch.randn(dim, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows)


def lerp(start: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    """``(1 - w) * start + w * end`` for latents ``(D,)`` and weights ``(N,)``, as ``(N, D)``."""
    w = weight[:, None]
    return (1.0 - w) * start + w * end


def slerp(start: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    """Along the great circle, so that the norm does not sag on the way; shapes as in ``lerp``.

    White, "Sampling Generative Networks", 2016, section 2. Where no great circle is given (a zero
    vector, parallel or opposite latents) it is ``lerp``.
    """
    norms = start.norm() * end.norm()
    cosine = (start @ end / norms).clamp(-1.0, 1.0) if norms > 0 else torch.tensor(1.0)
    if cosine.abs() > 1.0 - 1e-6:
        return lerp(start, end, weight)
    angle = cosine.arccos()
    w = weight[:, None]
    return (((1.0 - w) * angle).sin() * start + (w * angle).sin() * end) / angle.sin()


def path(start: Tensor, end: Tensor, steps: int, method: Method = "slerp") -> Tensor:
    """``steps`` latents from ``start`` to ``end``, both included exactly, ``(steps, D)``."""
    between = (slerp if method == "slerp" else lerp)(start, end, torch.linspace(0, 1, steps))
    between[0], between[-1] = start, end
    return between


def weighted_sum(terms: Sequence[tuple[float, Tensor]], dim: int) -> Tensor:
    """The sum of ``w * z`` over pairs of weight and latent ``(D,)``; zero for none."""
    total = torch.zeros(dim)
    for weight, z in terms:
        total = total + weight * z
    return total


def apply_directions(z: Tensor, terms: Sequence[tuple[float, Direction]]) -> Tensor:
    """Latents ``(N, D)`` or ``(D,)`` with directions added and taken away, of the same shape.

    Added, a direction is its mean step. Taken away it is more: a mean step from blue round glasses
    leaves what blue round ones are beside the mean ones. So what the latent has of the kinds of a
    direction goes too, in proportion to the weight and at most once.
    """
    for weight, direction in terms:
        z = z + weight * direction.vector
    for weight, direction in terms:
        if weight < 0 and direction.within_label is not None:
            before = z - weight * direction.vector
            z = z + max(weight, -1.0) * direction.within_label.residual(before)
    return z


def fit_within_label_subspace(positives: Tensor, without: Tensor) -> WithinLabelSubspace | None:
    """The kinds of a label, from latents ``(N, D)`` with and without it; None if there are none.

    They are the axes along which the optimal transport of a Gaussian fitted to the first onto one
    fitted to the second more than halves the distances: Peyré & Cuturi, "Computational Optimal
    Transport", 2019, remark 2.31.
    """
    mean, spread = positives.double().mean(0), torch.cov(positives.double().T)
    root, inverse = _power(spread, 0.5), _power(spread, -0.5)
    across = root @ torch.cov(without.double().T) @ root
    shrinkage, axes = torch.linalg.eigh(inverse @ _power(across, 0.5) @ inverse)
    lost = shrinkage < MAX_SHRINKAGE
    if not lost.any():
        return None
    rows = (axes[:, lost] * (1.0 - shrinkage[lost].clamp_min(0.0)).sqrt()).T
    return WithinLabelSubspace(rows.float().contiguous(), (rows @ mean).float())


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive matrix; what is next to nothing in it counts as a little."""
    values, axes = torch.linalg.eigh(matrix)
    floor = 1e-6 * values[-1].clamp_min(1e-12)
    power: Tensor = axes * values.clamp_min(floor) ** exponent @ axes.T
    return power


def group_direction(means: Tensor, label: Tensor) -> Tensor:
    """Mean latent of rows with label above 0.5 minus that of the rest, ``(D,)``.

    The tutorials' way. It carries along whatever else goes with the label in the data.
    """
    positives = label > 0.5
    return means[positives].mean(0) - means[~positives].mean(0)


def regressed_directions(means: Tensor, labels: Tensor) -> Tensor:
    """What one unit of each label adds to a latent when the other labels stay as they are.

    Ordinary least squares of the encoded means ``(N, D)`` on all labels ``(N, K)`` at once with an
    intercept (Hastie et al., "The Elements of Statistical Learning", 2009, equation 3.6); row k of
    the answer ``(K, D)`` is free of the other labels' share.
    """
    design = torch.cat([torch.ones(len(labels), 1), labels], dim=1).double()
    solution: Tensor = torch.linalg.lstsq(design, means.double(), driver="gelsd").solution
    return solution[1:].float()
