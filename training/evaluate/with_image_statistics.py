"""The statistics of a checkpoint that ``/score`` and ``/inpaint`` need, and their figures."""

from dataclasses import replace
from typing import Any

import torch

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
    the quantiles are those of train images as they are, and not tested.
    """
    with progress.task("Measuring train images"):
        seen = image_statistics(checkpoint, train.evenly_spaced(TRAIN_IMAGES))
    unseen = torch.empty(0, dtype=torch.float64)
    if len(test) >= MIN_TEST_IMAGES:
        with progress.task("Measuring test images"):
            unseen = image_statistics(checkpoint, test).elbo
    figures: dict[str, Any] = {"train_images": len(seen.elbo), "test_images": len(unseen)}
    if len(unseen):
        percentiles = cross_fitted_percentiles(seen.elbo, unseen)
        statistic, p = kolmogorov_smirnov(percentiles / 100)
        gap = generalisation_gap(seen.elbo, unseen)
        figures |= {"gap_nats": gap, "kolmogorov_smirnov": statistic, "p": p}
    return replace(
        checkpoint,
        elbo_quantiles=calibrated_quantiles(seen.elbo, unseen),
        pixel_regression=fit_pixel_regression(seen.means, seen.coarse_pixels),
        metrics={**checkpoint.metrics, "score": figures},
    )
