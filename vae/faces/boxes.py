"""Boxes ``(N, 4)``: left, top, right and bottom in pixels; pixel i reaches from i to i + 1."""

import torch
from torch import Tensor


def refined(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Boxes moved by the offsets ``(N, 4)`` that a network gave, as fractions of their sides."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + offsets * sides


def squared(boxes: Tensor) -> Tensor:
    """The squares with the same centres, as large as the longer side."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdim=True).values / 2
    return torch.cat([centres - half, centres + half], 1)


def non_maximum(boxes: Tensor, scores: Tensor, limit: float, of_smaller: bool = False) -> Tensor:
    """Indices of the boxes that overlap no better box by more than ``limit``, the best first.

    Greedy non-maximum suppression. The boxes that it keeps are the only set in which a box is
    there exactly if no better box of the set overlaps it. Each pass below settles at least one
    more box, usually most of them.

    Args:
        boxes: ``(N, 4)``.
        scores: ``(N,)``.
        limit: largest overlap of two boxes that are kept: intersection over union.
        of_smaller: take the intersection over the area of the smaller box instead.
    """
    order = scores.argsort(descending=True, stable=True)
    overlaps = torch.triu(_overlap(boxes[order], of_smaller) > limit, 1)
    kept = torch.ones_like(order, dtype=torch.bool)
    while True:
        settled = ~(overlaps & kept[:, None]).any(0)
        if settled.equal(kept):
            return order[kept]
        kept = settled


def _overlap(boxes: Tensor, of_smaller: bool) -> Tensor:
    """``(N, N)``."""
    areas = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)
    left_top = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    right_bottom = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (right_bottom - left_top).clamp(min=0).prod(2)
    smaller = torch.minimum(areas[:, None], areas[None])
    whole = smaller if of_smaller else areas[:, None] + areas[None] - common
    return common / whole.clamp(min=torch.finfo(common.dtype).tiny)
