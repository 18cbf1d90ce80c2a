import pytest
import torch
from torch import Tensor

from vae.gaussian import DiagonalGaussian
from vae.inpaint import draw, filled

SIZE = 64


@pytest.fixture
def unknown() -> Tensor:
    mask = torch.zeros(1, 1, SIZE, SIZE)
    mask[..., 20:40, 10:50] = 1.0
    return mask


def smooth(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = 0.25 + 0.5 * torch.rand(1, 3, 4, 4, generator=generator)
    return torch.nn.functional.interpolate(coarse, SIZE, mode="bicubic").clamp(0.0, 1.0)


def test_noise_of_a_posterior() -> None:
    posterior = DiagonalGaussian(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 2.0]]))
    expected = torch.tensor([1.5, 2.0 - torch.e])
    torch.testing.assert_close(draw(posterior, torch.tensor([0.5, -1.0])), expected)


def test_known_pixels_are_kept_and_unknown_ones_have_no_influence(unknown: Tensor) -> None:
    original, decoded = smooth(0), smooth(1)
    found = filled(original, decoded, unknown)
    known = (unknown == 0).expand_as(original)
    assert torch.equal(found[known], original[known])
    other = original.where(unknown == 0, torch.zeros(()))
    assert torch.equal(filled(other, decoded, unknown), found)


def test_the_light_of_the_known_pixels_is_that_of_the_filled_ones(unknown: Tensor) -> None:
    original = smooth(0)
    found = filled(original, original - 0.2, unknown)
    torch.testing.assert_close(found, original, atol=0.01, rtol=0)


def test_there_is_no_step_at_the_border(unknown: Tensor) -> None:
    original, decoded = smooth(0), smooth(1)
    plain = decoded.where(unknown > 0, original)
    steps = [
        (image[..., 20, 10:50] - image[..., 19, 10:50]).abs().mean()
        for image in (filled(original, decoded, unknown), plain)
    ]
    assert steps[0] < 0.25 * steps[1]
