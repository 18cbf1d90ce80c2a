"""Least squares of encoded means on columns that may be collinear."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vae.directions import regressed_directions

MIN_TOLERANCE = 0.02  # of a column: the fraction of its variance that other columns leave
MIN_WEIGHT = 0.05  # of a column that determines another, as a fraction of the largest weight


def residual(rows: Tensor, columns: Tensor) -> Tensor:
    """What columns ``(N, K)`` leave of rows ``(N, D)``, both centred: float64 ``(N, D)``."""
    effects = regressed_directions(rows, columns).double()
    return (rows - rows.mean(0)).double() - (columns - columns.mean(0)).double() @ effects


def tolerances(columns: Tensor, others: Tensor) -> Tensor:
    """The fraction of the variance of each column that others leave, ``(K,)``.

    The reciprocal of the variance inflation factor: Fox & Monette, "Generalized Collinearity
    Diagnostics", 1992. 0 of a column that does not vary.

    Args:
        columns: ``(N, K)``.
        others: ``(N, L)``.
    """
    variance = columns.double().var(0)
    return residual(columns, others).var(0) / torch.where(variance > 0, variance, torch.inf)


def independent_columns(table: Tensor, target: int) -> list[int]:
    """The other columns of a table ``(N, K)``, without those that determine the target column.

    Those are the complement of a label, its copy, the other classes of a one-hot label. What the
    target adds when they stay as they are is not defined.
    """
    scaled = (table - table.mean(0)) / table.std(0).clamp_min(1e-12)
    others = [k for k in range(table.shape[1]) if k != target]
    column = scaled[:, [target]]
    while others and tolerances(column, scaled[:, others]) < MIN_TOLERANCE:
        weights = regressed_directions(column, scaled[:, others])[:, 0].abs()
        least = MIN_WEIGHT * float(weights.max())
        others = [k for k, weight in zip(others, weights.tolist(), strict=True) if weight < least]
    return others


def category_effects(means: Tensor, indicators: Tensor, others: Tensor) -> Tensor:
    """What each category of a tag adds to the average, when other columns stay: ``(K, D)``.

    The categories sum to 1, or to one of the other columns, so that their effects are defined up
    to a constant. It is chosen so that the effects, weighted by frequency, sum to 0: of all
    solutions, that of the least weighted sum of squares. Indicators and means are first regressed
    on the other columns (Frisch & Waugh, "Partial Time Regressions as Compared with Individual
    Trends", 1933).

    Args:
        means: encoded means ``(N, D)``.
        indicators: 0/1 ``(N, K)``; each category occurs.
        others: ``(N, L)``.
    """
    scale = indicators.double().mean(0).sqrt()
    columns = residual(indicators, others) / scale
    inverse = torch.linalg.pinv(columns.T @ columns, rtol=MIN_TOLERANCE, hermitian=True)
    effects: Tensor = inverse @ (columns.T @ residual(means, others)) / scale[:, None]
    return effects.float()


def shared_rows(sides: Sequence[Tensor], columns: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """The rows of a regression, and the columns whose values are known in all of them.

    Columns with many known values come first. One that would leave less than half of any side is
    left out.

    Args:
        sides: booleans ``(N,)``: the rows of each value of a label, or of all its values.
        columns: ``(N,)``, NaN where unknown.

    Returns:
        booleans ``(N,)``, and positions in ``columns``.
    """
    rows = torch.stack(list(sides)).any(0)
    known = [column.isfinite() for column in columns]
    chosen = []
    for k in sorted(range(len(columns)), key=lambda k: -int((known[k] & rows).sum())):
        candidate = rows & known[k]
        if all(2 * int((candidate & side).sum()) >= int(side.sum()) for side in sides):
            rows = candidate
            chosen.append(k)
    return rows, sorted(chosen)
