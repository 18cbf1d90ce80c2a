"""Filters of images, against what they are by definition."""

import pytest
import torch

from vae import filters


def mask(*rows: str) -> torch.Tensor:
    """A mask ``(1, 1, H, W)`` from rows of ``#`` and ``.``."""
    return torch.tensor([[[[float(c == "#") for c in row] for row in rows]]])


def test_blur_of_a_point_is_a_gaussian() -> None:
    x = torch.zeros(1, 2, 31, 31)
    x[:, :, 15, 15] = 1.0
    blurred = filters.gaussian_blur(x, 2.0)
    assert blurred.sum().item() == pytest.approx(2.0, abs=1e-5)
    ratio = (blurred[0, 0, 15, 17] / blurred[0, 0, 15, 15]).item()
    assert ratio == pytest.approx(torch.tensor(-0.5).exp().item(), abs=1e-4)
    flat = filters.gaussian_blur(torch.full((1, 1, 9, 9), 0.3), 2.0)
    assert (flat - 0.3).abs().max() < 1e-6


@pytest.mark.parametrize("size", [(96, 96), (61, 90)])
def test_coarse_blur_is_about_a_gaussian(size: tuple[int, int]) -> None:
    x = torch.zeros(1, 3, *size)
    x[..., :30, :30] = 1.0
    exact = filters.gaussian_blur(x, 8.0)
    assert (filters.coarse_blur(x, 8.0) - exact).abs().max() < 0.05
    assert torch.equal(filters.coarse_blur(x, 2.0), filters.gaussian_blur(x, 2.0))


def test_reconstruct_keeps_connected_parts() -> None:
    parts = mask("##..#", "..#.#", "....#", "#....")
    marker = torch.zeros_like(parts)
    marker[..., 0, 0] = 1.0
    assert torch.equal(filters.reconstruct(marker, parts), mask("##...", "..#..", ".....", "....."))


def test_fill_holes() -> None:
    ring = mask("......", ".####.", ".#..#.", ".####.", "......")
    filled = mask("......", ".####.", ".####.", ".####.", "......")
    assert torch.equal(filters.fill_holes(ring), filled)


def test_close_joins_what_is_near() -> None:
    line = mask(".......", "##..###", ".......")
    assert torch.equal(filters.close(line, 1), mask(".......", "#######", "......."))


def test_interpolation_continues_known_values() -> None:
    x = torch.linspace(0.0, 1.0, 64)[None, None, None].expand(1, 3, 64, 64).contiguous()
    known = torch.ones(1, 1, 64, 64)
    known[..., 28:36, 28:36] = 0.0
    hidden = x.clone()
    hidden[..., 28:36, 28:36] = 5.0
    found = filters.interpolate(hidden, known, 2.0)
    assert (found - x)[..., 28:36, 28:36].abs().max() < 0.05


def test_smoothstep() -> None:
    found = filters.smoothstep(torch.tensor([0.0, 0.2, 0.3, 0.4, 1.0]), 0.2, 0.4)
    assert found.tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0], abs=1e-6)
