"""Priors fitted to encoded means: their statistics, and a mixture of Gaussians."""

import warnings

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from training.data.dataset import Labels
from vae.prior import GaussianMixture, LatentStatistics

MAX_COMPONENTS = 64
MIN_IMAGES_PER_DIMENSION = 4  # in a component
MAX_IMAGES = 50_000  # that a mixture is fitted to
EM_STEPS = 30
RELATIVE_RIDGE = 1e-3  # added to the diagonal of a covariance, as a fraction of the mean variance


def latent_statistics(means: Tensor) -> LatentStatistics:
    """Mean and covariance of encoded means ``(N, D)``; the covariance of a single row is zero."""
    dim = means.shape[1]
    if len(means) < 2:
        return LatentStatistics(means.mean(0), torch.zeros(dim, dim))
    return LatentStatistics(means.mean(0), torch.cov(means.T).reshape(dim, dim))


def fit_mixture(means: Tensor, columns: Labels | None = None) -> GaussianMixture | None:
    """A mixture of full Gaussians fitted to encoded means ``(N, D)``.

    The images are first split by their labels, as a regression tree does (Breiman et al.,
    "Classification and Regression Trees", 1984): by the column that explains most of the variance
    of the latents, while each part keeps ``4 * D`` images and a 64th of all. Components are then
    fitted to each part by expectation-maximisation. So no component spans images with glasses and
    without, and no sample falls between them.

    Args:
        means: ``(N, D)``; of more than 50,000 rows, that many evenly spaced ones are used.
        columns: 0/1 columns ``(N,)``, as ``indicators`` gives them. Others are not used, and
            an unknown value counts as 0.

    Returns:
        None if there are too few images for two components.
    """
    rows = np.arange(0, len(means), -(-len(means) // MAX_IMAGES))
    x = means[rows].double()
    count, dim = x.shape
    least = max(MIN_IMAGES_PER_DIMENSION * dim, -(-count // MAX_COMPONENTS))
    if count < 2 * least:
        return None
    binary = [c[rows] for c in (columns or {}).values() if _is_binary(c)]
    table = torch.from_numpy(np.stack(binary, axis=1) > 0.5) if binary else None
    ridge = RELATIVE_RIDGE * float(x.var(0).mean().clamp_min(1e-12))
    parts = _split_by_labels(x, table, torch.arange(count), least)
    fitted = [_fit_components(x[part], len(part) // least, ridge) for part in parts]
    shares = [m.weights * len(part) / count for m, part in zip(fitted, parts, strict=True)]
    return GaussianMixture(
        torch.cat(shares),
        torch.cat([m.means for m in fitted]),
        torch.cat([m.factors for m in fitted]),
    )


def _is_binary(column: np.ndarray) -> bool:
    return bool(np.isin(column[np.isfinite(column)], (0, 1)).all())


def _split_by_labels(x: Tensor, table: Tensor | None, rows: Tensor, least: int) -> list[Tensor]:
    """Rows split by the columns of a table of booleans, each part of ``least`` or more."""
    if table is None or len(rows) < 2 * least:
        return [rows]
    with_label = table[rows].double()
    sizes = with_label.sum(0)
    possible = (sizes >= least) & (len(rows) - sizes >= least)
    if not possible.any():
        return [rows]
    centred = x[rows] - x[rows].mean(0)
    sums = with_label.T @ centred  # the sums of rows without the label are the negatives
    gain = sums.square().sum(1) * (1 / sizes + 1 / (len(rows) - sizes))
    best = int(torch.where(possible, gain, -1.0).argmax())
    positive = table[rows, best]
    return [
        *_split_by_labels(x, table, rows[positive], least),
        *_split_by_labels(x, table, rows[~positive], least),
    ]


def _fit_components(x: Tensor, components: int, ridge: float) -> GaussianMixture:
    """Components fitted to float64 rows ``(N, D)``, initialised by k-means.

    Memory grows with ``N * (D + components)``. On one thread: the products are small, and more
    threads than free cores made 7 seconds 115.
    """
    from sklearn import mixture  # takes seconds
    from sklearn.exceptions import ConvergenceWarning

    model = mixture.GaussianMixture(
        components, reg_covar=ridge, max_iter=EM_STEPS, init_params="kmeans", random_state=0
    )
    with warnings.catch_warnings(), threadpool_limits(1):
        # Identical rows, and parts that still improve after the last step, give a usable prior.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x.numpy())
    factors = torch.linalg.cholesky(torch.from_numpy(model.covariances_))
    return GaussianMixture(
        torch.from_numpy(model.weights_).float(),
        torch.from_numpy(model.means_).float(),
        factors.float(),
    )
