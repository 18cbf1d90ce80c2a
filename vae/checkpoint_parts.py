"""The parts of a checkpoint beside its model, read from tensors and validated.

Every function raises ``TensorFileError`` if a tensor is missing, damaged or of the wrong shape.
"""

from collections.abc import Mapping

from torch import Tensor

from vae.config import VAEConfig
from vae.directions import WithinLabelSubspace
from vae.pixel_regression import PixelRegression, coarse_side
from vae.prior import GaussianMixture
from vae.tensor_file import TensorFileError, finite

Tensors = Mapping[str, Tensor]


def within_label(tensors: Tensors, name: str, dim: int) -> WithinLabelSubspace | None:
    """The subspace of the direction ``name``; None if it has none."""
    rows = f"within_label.{name}"
    if rows not in tensors:
        return None
    count = len(tensors[rows])
    return WithinLabelSubspace(
        rows=finite(tensors, rows, (count, dim)),
        centre=finite(tensors, f"within_label_centre.{name}", (count,)),
    )


def mixture(tensors: Tensors, dim: int) -> GaussianMixture | None:
    """The fitted prior; None if there is none."""
    if "prior.weights" not in tensors:
        return None
    k = tensors["prior.weights"].numel()
    found = GaussianMixture(
        weights=finite(tensors, "prior.weights", (k,)),
        means=finite(tensors, "prior.means", (k, dim)),
        factors=finite(tensors, "prior.factors", (k, dim, dim)),
    )
    if k < 1 or found.weights.min() < 0 or abs(float(found.weights.sum()) - 1) > 1e-3:
        raise TensorFileError("prior.weights are no probabilities (at least 0, with the sum 1)")
    return found


def elbo_quantiles(tensors: Tensors) -> Tensor | None:
    """The quantiles of the bound; None if there are none."""
    name = "elbo.quantiles"
    if name not in tensors:
        return None
    values = finite(tensors, name, (tensors[name].numel(),))
    if len(values) < 2 or (values.diff() < 0).any():
        raise TensorFileError(f"{name} are not two or more values in ascending order")
    return values


def pixel_regression(tensors: Tensors, config: VAEConfig) -> PixelRegression | None:
    """The regression of coarse pixels; None if there is none."""
    if "pixels.weights" not in tensors:
        return None
    count = config.channels * coarse_side(config.size) ** 2
    variance = finite(tensors, "pixels.variance", (count,))
    if variance.min() <= 0:
        raise TensorFileError("pixels.variance are not positive")
    return PixelRegression(
        weights=finite(tensors, "pixels.weights", (count, config.latent_dim)),
        centre=finite(tensors, "pixels.centre", (count,)),
        variance=variance,
    )
