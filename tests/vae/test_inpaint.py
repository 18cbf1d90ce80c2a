import pytest
import torch
from torch import Tensor

from vae.inpaint import filled, latent_posterior
from vae.pixel_regression import coarse, fit_pixel_regression
from vae.prior import LatentStatistics

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


LATENTS = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)) + 1.0
STATISTICS = LatentStatistics(LATENTS.mean(0), LATENTS.T.cov())


def drawn(latents: Tensor) -> Tensor:
    """Images ``(N, 1, 32, 32)`` that are linear in the latents.

    The first value is the brightness of the left half, the second of the right one, the third of
    both.
    """
    half = torch.zeros(1, 1, SIZE // 2, SIZE // 2)
    half[..., : SIZE // 4] = 1.0
    left, right, both = (0.1 * latents[:, i, None, None, None] for i in range(3))
    return 0.5 + left * half + right * (1.0 - half) + both * torch.ones_like(half)


REGRESSION = fit_pixel_regression(
    LATENTS,
    coarse(drawn(LATENTS) + 0.05 * torch.randn(2000, 1, 32, 32, generator=torch.Generator())),
)


def right_half() -> Tensor:
    unknown = torch.zeros(1, 1, 32, 32)
    unknown[..., 16:] = 1.0
    return unknown


def test_the_latent_is_that_of_the_known_pixels_where_they_say_it() -> None:
    latent = torch.tensor([[2.0, -1.0, 0.5]])
    found = latent_posterior(drawn(latent), torch.zeros(1, 1, 32, 32), STATISTICS, REGRESSION)
    image = drawn(found.mean[None])
    torch.testing.assert_close(image, drawn(latent), atol=0.01, rtol=0)
    half = latent_posterior(drawn(latent), right_half(), STATISTICS, REGRESSION)
    torch.testing.assert_close(
        drawn(half.mean[None])[..., :16], drawn(latent)[..., :16], atol=0.01, rtol=0
    )
    assert float(half.mean[1]) == pytest.approx(1.0, abs=0.1)  # of which only the prior is known


def test_draws_vary_where_nothing_is_known_and_nowhere_else() -> None:
    latent = torch.tensor([[2.0, -1.0, 0.5]])
    found = latent_posterior(drawn(latent), right_half(), STATISTICS, REGRESSION)
    images = drawn(found.sample(torch.randn(500, 3, generator=torch.Generator().manual_seed(1))))
    spread = images.std(0)[0]
    assert float(spread[:, :16].max()) < 0.02
    assert float(spread[:, 16:].min()) > 0.08
    cold = found.sample(torch.randn(2, 3), temperature=0.0)
    assert torch.equal(cold, found.mean.expand(2, 3))


def test_what_is_unknown_is_not_looked_at() -> None:
    latent = torch.tensor([[2.0, -1.0, 0.5]])
    painted = drawn(latent).where(right_half() == 0, torch.tensor(0.0))
    first, second = (
        latent_posterior(image, right_half(), STATISTICS, REGRESSION)
        for image in (drawn(latent), painted)
    )
    assert torch.equal(first.mean, second.mean)


def test_a_dimension_that_never_varied_stays_as_it_was() -> None:
    covariance = STATISTICS.covariance.clone()
    covariance[1] = covariance[:, 1] = 0.0
    collapsed = LatentStatistics(STATISTICS.mean, covariance)
    latent = torch.tensor([[2.0, -1.0, 0.5]])
    found = latent_posterior(drawn(latent), right_half(), collapsed, REGRESSION)
    latents = found.sample(torch.randn(5, 3))
    torch.testing.assert_close(latents[:, 1], STATISTICS.mean[1].expand(5))


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
