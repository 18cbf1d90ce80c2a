import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.vae.checkpoints import some_checkpoint
from vae.checkpoint import CheckpointError, load, save
from vae.latent import seeded_noise, seeded_noise_and_uniform
from vae.prior import GaussianMixture, LatentStatistics

DIM = 3
MIXTURE = GaussianMixture(
    weights=torch.tensor([0.25, 0.75]),
    means=torch.tensor([[-10.0, 0.0, 0.0], [10.0, 1.0, 0.0]]),
    factors=torch.stack([torch.eye(DIM), torch.diag(torch.tensor([2.0, 1.0, 0.5]))]),
)


def test_components_are_sampled_by_weight_with_their_covariance() -> None:
    seeds = range(4000)
    z = MIXTURE.sample(*seeded_noise_and_uniform(seeds, DIM))
    second = z[:, 0] > 0
    assert second.float().mean().item() == pytest.approx(0.75, abs=0.03)
    torch.testing.assert_close(z[second].mean(0), MIXTURE.means[1], atol=0.15, rtol=0)
    torch.testing.assert_close(z[second].std(0), torch.tensor([2.0, 1.0, 0.5]), atol=0.1, rtol=0)


def test_temperature_scales_the_noise_of_a_mixture_alone() -> None:
    noise, uniform = torch.ones(2, DIM), torch.tensor([0.1, 0.9])
    assert torch.equal(MIXTURE.sample(noise, uniform, 0.0), MIXTURE.means)
    one, two = MIXTURE.sample(noise, uniform, 1.0), MIXTURE.sample(noise, uniform, 2.0)
    torch.testing.assert_close(two - MIXTURE.means, 2 * (one - MIXTURE.means))


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2**-24])
def test_every_number_selects_a_component(uniform: float) -> None:
    thirds = GaussianMixture(torch.full((3,), 1 / 3), torch.eye(3), torch.eye(3).expand(3, 3, 3))
    z = thirds.sample(torch.zeros(1, 3), torch.tensor([uniform]))
    assert torch.equal(z[0], thirds.means[0 if uniform == 0.0 else 2])


def test_a_sample_depends_on_its_own_seed_alone() -> None:
    checkpoint = replace(some_checkpoint(), mixture=MIXTURE)
    together = checkpoint.sample([3, 4, 5])
    torch.testing.assert_close(checkpoint.sample([5])[0], together[2])
    assert not torch.equal(together[0], together[1])


def test_a_mixture_is_loaded_as_saved(tmp_path: Path) -> None:
    saved = replace(some_checkpoint(), mixture=MIXTURE)
    save(saved, tmp_path / "m.safetensors", torch.float16)
    assert torch.equal(load(tmp_path / "m.safetensors").sample(range(9)), saved.sample(range(9)))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (replace(MIXTURE, weights=torch.tensor([0.5, 0.6])), "no probabilities"),
        (replace(MIXTURE, weights=torch.tensor([-0.5, 1.5])), "no probabilities"),
        (replace(MIXTURE, means=torch.zeros(2, DIM + 1)), "prior.means"),
        (replace(MIXTURE, factors=torch.zeros(3, DIM, DIM)), "prior.factors"),
    ],
)
def test_a_damaged_mixture_is_refused(
    tmp_path: Path, broken: GaussianMixture, message: str
) -> None:
    save(replace(some_checkpoint(), mixture=broken), tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path / "m.safetensors")


def some_statistics() -> LatentStatistics:
    root = torch.tensor([[2.0, 0.0, 0.0], [-1.0, 0.5, 0.0], [0.3, 0.2, 0.01]])
    return LatentStatistics(torch.tensor([1.0, -2.0, 10.0]), root @ root.T)


def test_samples_have_the_mean_and_the_covariance() -> None:
    statistics, n = some_statistics(), 50_000
    noise = torch.randn(n, 3, generator=torch.Generator().manual_seed(0))
    samples = statistics.sample(noise)
    scale = statistics.covariance.diagonal().sqrt()
    assert ((samples.mean(0) - statistics.mean).abs() < 4.0 * scale / math.sqrt(n)).all()
    error = (torch.cov(samples.T) - statistics.covariance).abs()
    assert (error < 6.0 * scale[:, None] * scale / math.sqrt(n)).all()


def test_temperature_scales_the_distance_from_the_mean() -> None:
    statistics, noise = some_statistics(), seeded_noise([1, 2], 3)
    assert torch.equal(statistics.sample(noise, 0.0), statistics.mean.expand(2, 3))
    torch.testing.assert_close(
        statistics.sample(noise, 0.5) - statistics.mean,
        0.5 * (statistics.sample(noise) - statistics.mean),
    )


@pytest.mark.parametrize("dim", [1, 32, 128])
@pytest.mark.parametrize("images", [2, 3, 20])
def test_statistics_of_fewer_images_than_dimensions_can_be_sampled(dim: int, images: int) -> None:
    for seed in range(3):
        means = torch.randn(images, dim, generator=torch.Generator().manual_seed(seed))
        covariance = torch.cov(means.T).reshape(dim, dim)
        statistics = LatentStatistics(means.mean(0), covariance)
        torch.testing.assert_close(
            statistics.factor @ statistics.factor.T, covariance, atol=1e-4, rtol=1e-4
        )
        samples = statistics.sample(seeded_noise(range(4), dim))
        spread = samples - means.mean(0)
        basis = torch.linalg.svd(means - means.mean(0), full_matrices=False).Vh[: images - 1]
        assert (spread - spread @ basis.T @ basis).norm() < 0.01 * spread.norm()


def test_no_variance_at_all_gives_the_mean() -> None:
    statistics = LatentStatistics(torch.arange(4.0), torch.zeros(4, 4))
    torch.testing.assert_close(statistics.sample(seeded_noise([1], 4))[0], torch.arange(4.0))


def test_principal_axes_are_standard_deviations_along_orthogonal_directions() -> None:
    factor = seeded_noise([1, 2, 3], DIM)
    statistics = LatentStatistics(torch.zeros(DIM), factor @ factor.T)
    axes = statistics.principal_axes
    lengths = axes.norm(dim=1)
    assert lengths.tolist() == sorted(lengths.tolist(), reverse=True)
    torch.testing.assert_close(axes.T @ axes, statistics.covariance)
    torch.testing.assert_close(axes @ axes.T, torch.diag(lengths**2), atol=1e-5, rtol=0)
    assert (axes.gather(1, axes.abs().argmax(1, keepdim=True)) > 0).all()


def test_a_collapsed_dimension_has_an_axis_of_length_zero() -> None:
    statistics = LatentStatistics(torch.zeros(2), torch.diag(torch.tensor([0.0, 4.0])))
    assert statistics.principal_axes.tolist() == [[0.0, 2.0], [0.0, 0.0]]
