"""The statistics of a checkpoint that ``/score`` and ``/inpaint`` need, and their figures."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from training import progress
from training.analysis.image_statistics import (
    TRAIN_IMAGES,
    calibrated_quantiles,
    cross_fitted_percentiles,
    generalisation_gap,
    image_statistics,
)
from training.data.dataset import Dataset
from training.evaluate.calibration import kolmogorov_smirnov
from vae.checkpoint import Checkpoint
from vae.pixel_regression import fit_pixel_regression

MIN_TEST_IMAGES = 20  # with fewer, a mean of them says little


def with_image_statistics(checkpoint: Checkpoint, train: Dataset, test: Dataset) -> Checkpoint:
    """The checkpoint with the quantiles of the bound and the regression of coarse pixels.

    Its metrics get ``score``: the test of Kolmogorov and Smirnov of the percentiles of test images,
    each half by the quantiles that the other half calibrated. With fewer than ``MIN_TEST_IMAGES``
    there is none, and the quantiles are those of train images as they are.
    """
    with progress.task("Measuring train images"):
        seen = image_statistics(checkpoint, train.evenly_spaced(TRAIN_IMAGES))
    unseen = torch.empty(0, dtype=torch.float64)
    metrics = {name: value for name, value in checkpoint.metrics.items() if name != "score"}
    if len(test) >= MIN_TEST_IMAGES:
        with progress.task("Measuring test images"):
            unseen = image_statistics(checkpoint, test).elbo
        metrics["score"] = _figures(seen.elbo, unseen)
    return replace(
        checkpoint,
        elbo_quantiles=calibrated_quantiles(seen.elbo, unseen),
        pixel_regression=fit_pixel_regression(seen.means, seen.coarse_pixels),
        metrics=metrics,
    )


def _figures(train: Tensor, test: Tensor) -> dict[str, Any]:
    """Of the bound of train images ``(N,)`` and of test images ``(M,)``."""
    statistic, p = kolmogorov_smirnov(cross_fitted_percentiles(train, test) / 100)
    return {
        "train_images": len(train),
        "test_images": len(test),
        "gap_nats": generalisation_gap(train, test),
        "kolmogorov_smirnov": statistic,
        "p": p,
    }
