import pytest
import torch
from torch import Tensor

from vae.faces.boxes import non_maximum, refined, squared


def some_boxes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corners = 100 * torch.rand(count, 2, generator=generator)
    sides = 5 + 40 * torch.rand(count, 2, generator=generator)
    return torch.cat([corners, corners + sides], 1), torch.rand(count, generator=generator)


def overlap(a: list[float], b: list[float], of_smaller: bool) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    common = width * height
    return common / (min(areas) if of_smaller else sum(areas) - common)


def greedy(boxes: Tensor, scores: Tensor, limit: float, of_smaller: bool) -> list[int]:
    """The definition: the best box is kept, what overlaps it leaves, and so on."""
    rows, kept = boxes.tolist(), list[int]()
    for i in scores.argsort(descending=True).tolist():
        if all(overlap(rows[i], rows[j], of_smaller) <= limit for j in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize("of_smaller", [False, True])
@pytest.mark.parametrize("limit", [0.1, 0.5, 0.7])
@pytest.mark.parametrize("count", [0, 1, 2, 30, 200])
def test_non_maximum_suppression_is_the_greedy_one(
    count: int, limit: float, of_smaller: bool
) -> None:
    boxes, scores = some_boxes(count, seed=count)
    found = non_maximum(boxes, scores, limit, of_smaller)
    assert found.tolist() == greedy(boxes, scores, limit, of_smaller)


def test_boxes_without_an_area_overlap_nothing() -> None:
    boxes = torch.tensor([[3.0, 3, 3, 3], [3, 3, 3, 3], [5, 5, 2, 2]])
    assert non_maximum(boxes, torch.tensor([0.1, 0.3, 0.2]), 0.5).tolist() == [1, 2, 0]


def test_offsets_are_fractions_of_the_sides() -> None:
    boxes = torch.tensor([[10.0, 20, 30, 60]])
    offsets = torch.tensor([[0.1, -0.1, 0.5, 0.25]])
    assert refined(boxes, offsets).tolist() == [[12, 16, 40, 70]]


def test_a_square_has_the_centre_and_the_longer_side() -> None:
    boxes = torch.tensor([[10.0, 20, 30, 60], [0, 0, 4, 2]])
    assert squared(boxes).tolist() == [[0, 20, 40, 60], [0, -1, 4, 3]]
