"""Tells photographed faces from drawn ones, which the networks find too.

Drawings have large areas of one colour; photographs do not: Athitsos, Swain and Frankel,
"Distinguishing Photographs and Graphics on the World Wide Web", 1997. Here the measure is the
gradient that a fixed fraction of the face's pixels stays below, relative to the contrast of the
face. Sharpness, exposure, noise and compression change it little, because a face is first reduced
to a window of few pixels.
"""

import torch
from torch import Tensor

MARGIN = 5  # pixels of a window of 48 that are left out at each edge: they may be background
SATURATED = 0.95  # values from here on, of -1..1, may be flat in an overexposed photograph too
MIN_PIXELS = 64  # that are not saturated; a window with fewer is taken as photographed
QUANTILE = 0.15  # fraction of the pixels that is compared
MIN_GRADIENT = 0.025  # at this quantile, in standard deviations a pixel: docs/decisions/0027


def photographed(windows: Tensor) -> Tensor:
    """Which windows ``(N, 3, 48, 48)`` in -1..1 show a photographed face, bool ``(N,)``."""
    found = [
        any(_gradient(half) >= MIN_GRADIENT for half in inner.chunk(2))  # one may be covered
        for inner in windows.mean(1)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    ]
    return torch.tensor(found, dtype=torch.bool, device=windows.device)


def _gradient(grey: Tensor) -> float:
    """The gradient of a part of a window at ``QUANTILE``."""
    corner = grey[:-1, :-1]
    steps = torch.maximum((grey[:-1, 1:] - corner).abs(), (grey[1:, :-1] - corner).abs())
    steps = steps[corner < SATURATED]
    if len(steps) < MIN_PIXELS:
        return MIN_GRADIENT
    contrast = grey.std().clamp(min=torch.finfo(grey.dtype).tiny)
    return float((steps / contrast).quantile(QUANTILE))
