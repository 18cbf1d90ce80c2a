"""An image in ever smaller sizes, and the windows of it that the networks see."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

MIN_SIDE = 8  # pixels: of the smallest level
BRIGHT_QUANTILE, BRIGHT_LEVEL, MAX_GAIN = 0.98, 160, 8  # of values 0..255, see ``_gain``


def image_pyramid(image: Tensor) -> list[Tensor]:
    """An image as the networks take it, ``(1, 3, H, W)`` about -1..1, then its halves.

    Args:
        image: uint8 RGB ``(H, W, 3)``.
    """
    level = image.permute(2, 0, 1)[None].float().mul_(_gain(image) / 128).sub_(127.5 / 128)
    pyramid = [level]
    while min(level.shape[2:]) >= 2 * MIN_SIDE:
        level = F.avg_pool2d(level, 2)
        pyramid.append(level)
    return pyramid


def level_of(pyramid: list[Tensor], reduction: float) -> Tensor:
    """The smallest level whose sides are not reduced by more than this factor."""
    return pyramid[min(int(math.log2(max(1.0, reduction))), len(pyramid) - 1)]


def windows(
    pyramid: list[Tensor], boxes: Tensor, side: int, angles: Tensor | None = None
) -> Tensor:
    """The parts of an image in boxes as ``(N, 3, side, side)``; grey beyond its edges.

    Args:
        pyramid: of the image.
        boxes: ``(N, 4)``, see ``vae.faces.boxes``.
        side: pixels of each window.
        angles: ``(N,)`` in radians, from x towards y, by which the boxes are turned around their
            centres; None for 0.
    """
    found = boxes.new_empty(len(boxes), 3, side, side)
    steps = (torch.arange(side, device=boxes.device) + 0.5) / side
    fractions = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), 2).view(1, -1, 2)
    points = from_windows(fractions, boxes, angles)
    reductions = (boxes[:, 2:] - boxes[:, :2]).min(1).values / side  # pixels of the image a pixel
    levels = reductions.clamp(min=1).log2().floor().long().clamp(max=len(pyramid) - 1)
    for number, level in enumerate(pyramid):
        chosen = levels == number
        if not chosen.any():
            continue
        height, width = level.shape[2:]
        # grid_sample: -1 and 1 are the outer edges of the image.
        to_unit = points.new_tensor([2 / width, 2 / height]) / 2**number
        grid = (points[chosen] * to_unit - 1).view(1, -1, side, 2)
        sampled = F.grid_sample(level, grid, align_corners=False)
        found[chosen] = sampled.view(3, -1, side, side).transpose(0, 1)
    return found.contiguous(memory_format=torch.channels_last)


def from_windows(fractions: Tensor, boxes: Tensor, angles: Tensor | None = None) -> Tensor:
    """Points ``(N, P, 2)`` in pixels of the image.

    Args:
        fractions: ``(N, P, 2)`` or ``(1, P, 2)``, of the sides of each window.
        boxes: ``(N, 4)`` of the windows.
        angles: ``(N,)``, as of ``windows``.
    """
    centres, extents = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    x, y = ((fractions - 0.5) * extents[:, None]).unbind(2)
    if angles is not None:
        cosine, sine = angles.cos()[:, None], angles.sin()[:, None]
        x, y = cosine * x - sine * y, sine * x + cosine * y
    return centres[:, None] + torch.stack([x, y], 2)


def _gain(image: Tensor) -> Tensor:
    """The factor that makes a dark image bright: the networks know few dark ones."""
    bright = image[::4, ::4].float().quantile(BRIGHT_QUANTILE)
    return (BRIGHT_LEVEL / bright.clamp(min=1)).clamp(1, MAX_GAIN)
