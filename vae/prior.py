"""The fitted priors, from which latents are sampled: one Gaussian, or a mixture of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class LatentStatistics:
    """Mean ``(D,)`` and covariance ``(D, D)`` of the encoded means over the training set."""

    mean: Tensor
    covariance: Tensor

    @cached_property
    def factor(self) -> Tensor:
        """The symmetric ``L`` with ``L @ L.T`` equal to the covariance, ``(D, D)``.

        Unlike a Cholesky factor it exists where the covariance is singular: with collapsed
        dimensions, or fewer images than dimensions.
        """
        variances, axes = torch.linalg.eigh(self.covariance.double())
        factor: Tensor = axes * variances.clamp_min(0.0).sqrt() @ axes.T
        return factor.float()

    @cached_property
    def principal_axes(self) -> Tensor:
        """The principal axes as rows ``(D, D)``, the largest variance first.

        The length of a row is the standard deviation along it. Its largest component is positive.
        """
        variances, axes = torch.linalg.eigh(self.covariance.double())
        rows = (axes * variances.clamp_min(0.0).sqrt()).T.flip(0)
        largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
        return torch.where(largest < 0, -rows, rows).float()

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """``mean + temperature * L @ noise``: standard normal rows ``(N, D)`` to prior samples.

        Ex-post density estimation with one full Gaussian: Ghosh et al., "From Variational to
        Deterministic Autoencoders", 2020, section 4.
        """
        return self.mean + temperature * _products([self.factor] * len(noise), noise)


@dataclass(frozen=True)
class GaussianMixture:
    """A prior of K Gaussians, fitted to encoded means after the training.

    Ex-post density estimation: Ghosh et al., "From Variational to Deterministic Autoencoders",
    2020, section 4. Where the latents of a data set form clusters, one Gaussian also samples from
    the gaps between them; a mixture does not.

    Attributes:
        weights: ``(K,)``, their sum is 1.
        means: ``(K, D)``.
        factors: ``(K, D, D)``, a square root of each covariance.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    @cached_property
    def _cumulative_weights(self) -> Tensor:
        return self.weights.cumsum(0)

    def sample(self, noise: Tensor, uniform: Tensor, temperature: float = 1.0) -> Tensor:
        """Prior samples ``(N, D)``: ``mean_k + temperature * L_k @ noise``.

        Args:
            noise: standard normal rows ``(N, D)``.
            uniform: numbers ``(N,)`` in [0, 1), each of which selects a component k.
            temperature: scale of the noise; at 0 a sample is the mean of its component.
        """
        last = len(self.weights) - 1
        k = torch.searchsorted(self._cumulative_weights, uniform, right=True).clamp_max(last)
        return self.means[k] + temperature * _products([self.factors[i] for i in k], noise)


def _products(matrices: Sequence[Tensor], rows: Tensor) -> Tensor:
    """``matrix @ row`` of each pair, ``(N, D)``, bit-identical whatever the other rows are.

    A batched product would round differently with the number of rows, and a row that is not copied
    with its alignment in memory.
    """
    return torch.stack([matrix @ row.clone() for matrix, row in zip(matrices, rows, strict=True)])
