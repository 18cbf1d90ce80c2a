import math

import pytest
import torch
from torch import Tensor

from vae.gaussian import DiagonalGaussian
from vae.score import elbo_terms, percentile, posterior_draw, quantiles

GENERATOR = torch.Generator().manual_seed(0)
POSTERIOR = DiagonalGaussian(
    torch.tensor([[1.0, -2.0], [0.0, 0.0]]), torch.tensor([[0.0, -4.0], [0.0, 0.0]])
)


def pixels(*levels: int) -> Tensor:
    """One image of one grey level for each."""
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 2, 2, 1)


def test_a_posterior_is_drawn_with_the_same_noise_for_every_image() -> None:
    draw = posterior_draw(POSTERIOR)
    noise = draw[1]
    assert noise.abs().min() > 0
    expected = torch.stack([1.0 + noise[0], -2.0 + math.exp(-2.0) * noise[1]])
    torch.testing.assert_close(draw[0], expected)


def test_terms_of_a_gaussian() -> None:
    found = elbo_terms(pixels(0, 51), pixels(0, 102), POSTERIOR, 0.5)
    torch.testing.assert_close(found.mse, torch.tensor([0.0, 0.04], dtype=torch.float64))
    expected = 4 * (0.5 * (0.2 / 0.5) ** 2 + math.log(0.5 * math.sqrt(2 * math.pi)))
    assert float(found.distortion_nats[1]) == pytest.approx(expected)
    assert found.kl_nats.tolist() == pytest.approx(POSTERIOR.kl().tolist())
    assert float(found.kl_nats[1]) == 0
    assert float(found.elbo_nats[1]) == pytest.approx(-expected)


def test_terms_of_bernoulli_pixels_are_finite_where_they_are_certain() -> None:
    found = elbo_terms(pixels(255, 0, 51), pixels(0, 0, 102), POSTERIOR, None)
    wrong, right, between = found.distortion_nats.tolist()
    assert between == pytest.approx(-4 * (0.2 * math.log(0.4) + 0.8 * math.log(0.6)))
    assert wrong == pytest.approx(4 * math.log(1020))
    assert right == pytest.approx(4 / 1020, rel=0.01)


def test_percentiles_of_the_same_distribution_are_uniform() -> None:
    reference = quantiles(torch.randn(3000, generator=GENERATOR))
    assert (reference.diff() >= 0).all()
    found = percentile(torch.randn(2000, generator=GENERATOR), reference).sort().values
    uniform = torch.linspace(0, 100, 2000, dtype=torch.float64)
    assert float((found - uniform).abs().max()) < 5


def test_a_low_bound_has_a_high_percentile_and_the_ends_are_0_and_100() -> None:
    reference = quantiles(torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]))
    found = percentile(torch.tensor([-9.0, 0.0, 1.0, 3.5, 4.0, 9.0]), reference)
    assert found.tolist() == pytest.approx([100, 100, 75, 12.5, 0, 0], abs=1e-3)


def test_one_value_is_a_distribution_too() -> None:
    reference = quantiles(torch.tensor([2.0]))
    assert percentile(torch.tensor([1.0, 3.0]), reference).tolist() == [100, 0]
