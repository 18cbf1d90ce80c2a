"""A direction from two groups of latents, free of attributes that differ between them by chance."""

import torch
from torch import Tensor

MIN_EIGENVALUE = 1e-6  # of the covariance, as a fraction of the largest


def contrast_direction(
    positives: Tensor, negatives: Tensor, held: Tensor, covariance: Tensor
) -> Tensor:
    """The step from one group to another, without what it shares with other directions, ``(D,)``.

    Twenty people with a frame and twenty without differ in age and sex too. Let M have the
    difference of the group means and the held directions as columns, and S be the covariance of
    latents. Linear discriminant analysis gives every column the classifier ``W = S^-1 M`` (Hastie
    et al., "The Elements of Statistical Learning", 2009, equation 4.11). Of all steps that change
    the first classifier as much as its own direction and leave the others, the one of least
    Mahalanobis length is ``S W (W' S W)^-1 e = M (M' S^-1 M)^-1 e`` up to its length. This is what
    is left of the difference after its projection onto the held directions in the metric
    ``S^-1``.

    Args:
        positives: latents ``(N, D)``, at least one.
        negatives: latents ``(M, D)``, at least one.
        held: directions ``(K, D)`` along which the step must not go; K may be 0.
        covariance: of latents, ``(D, D)``.
    """
    step = positives.double().mean(0) - negatives.double().mean(0)
    if not len(held):
        return step.float()
    values, axes = torch.linalg.eigh(covariance.double())
    whitening = axes / values.clamp_min(MIN_EIGENVALUE * values[-1]).sqrt()
    columns = (held.double() @ whitening).T
    shares = torch.linalg.lstsq(columns, step @ whitening, driver="gelsd").solution
    rest: Tensor = step - shares @ held.double()
    return rest.float()
