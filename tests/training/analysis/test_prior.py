import tracemalloc

import numpy as np
import pytest
import torch

from training.analysis import prior
from training.analysis.prior import fit_mixture, latent_statistics
from vae.latent import seeded_noise_and_uniform

CLUSTERS = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]])


def clustered(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    which = torch.randint(len(CLUSTERS), (count,), generator=generator)
    return CLUSTERS[which] + 0.3 * torch.randn(count, 2, generator=generator)


def far_from_clusters(z: torch.Tensor) -> float:
    return float((torch.cdist(z, CLUSTERS).amin(1) > 1.5).float().mean())


def test_a_mixture_samples_clusters_where_one_gaussian_samples_the_gaps() -> None:
    latents = clustered(600)
    mixture = fit_mixture(latents)
    assert mixture is not None
    noise, uniform = seeded_noise_and_uniform(range(500), 2)
    assert far_from_clusters(mixture.sample(noise, uniform)) < 0.01
    assert far_from_clusters(latent_statistics(latents).sample(noise)) > 0.3


def test_a_mixture_is_the_same_each_time() -> None:
    first, second = fit_mixture(clustered(200)), fit_mixture(clustered(200))
    assert first is not None
    assert second is not None
    assert torch.equal(first.means, second.means)


def test_collapsed_and_constant_latents_give_a_prior() -> None:
    latents = clustered(200)
    latents[:, 1] = 0.0
    for flat in (latents, torch.zeros(200, 2)):
        mixture = fit_mixture(flat)
        assert mixture is not None
        assert mixture.factors.isfinite().all()
        assert mixture.means.isfinite().all()


def test_too_few_images_give_none() -> None:
    assert fit_mixture(clustered(15)) is None


def test_no_component_spans_two_labels() -> None:
    """Two long parallel clouds, which k-means alone would cut across."""
    generator = torch.Generator().manual_seed(2)
    label = torch.arange(160) % 2
    latents = torch.randn(160, 2, generator=generator) * torch.tensor([10.0, 0.2])
    latents[:, 1] += 2.0 * label
    columns = {
        "age": np.linspace(20, 60, 160, dtype=np.float32),
        "label": label.numpy().astype(np.float32),
        "rare": (np.arange(160) == 3).astype(np.float32),
    }
    mixture = fit_mixture(latents, columns)
    assert mixture is not None
    heights = mixture.means[:, 1]
    assert ((heights.abs() < 0.3) | ((heights - 2).abs() < 0.3)).all()
    assert float(mixture.weights.sum()) == pytest.approx(1)
    sampled = mixture.sample(*seeded_noise_and_uniform(range(400), 2))[:, 1]
    assert float(((sampled - 1).abs() < 0.3).float().mean()) < 0.02


def test_unknown_labels_give_a_prior() -> None:
    latents = clustered(200)
    column = np.where(np.arange(200) % 3 == 0, np.nan, latents[:, 0] > 0).astype(np.float32)
    mixture = fit_mixture(latents, {"right": column})
    assert mixture is not None
    assert mixture.factors.isfinite().all()


def test_many_images_are_fitted_by_evenly_spaced_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    latents = clustered(600)
    right = (latents[:, 0] > 1).numpy().astype(np.float32)
    monkeypatch.setattr(prior, "MAX_IMAGES", 200)
    many = fit_mixture(latents, {"right": right})
    few = fit_mixture(latents[::3], {"right": right[::3]})
    assert many is not None
    assert few is not None
    assert torch.equal(many.means, few.means)
    assert torch.equal(many.weights, few.weights)


def test_memory_does_not_grow_with_components_times_images_times_dimensions() -> None:
    count, dim = 4096, 32
    latents = torch.randn(count, dim, generator=torch.Generator().manual_seed(0))
    fit_mixture(latents[:256])  # imports and thread pools
    tracemalloc.start()
    try:
        mixture = fit_mixture(latents)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mixture is not None
    components = len(mixture.weights)
    assert components == 32
    assert peak < components * count * dim * 8 / 3


def test_statistics_are_mean_and_covariance() -> None:
    means = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    found = latent_statistics(means)
    torch.testing.assert_close(found.mean, means.mean(0))
    expected = torch.from_numpy(np.cov(means.numpy().T)).float()
    torch.testing.assert_close(found.covariance, expected)


@pytest.mark.parametrize(("count", "dim"), [(1, 1), (1, 4), (2, 1), (3, 4)])
def test_statistics_of_few_images_have_their_shape(count: int, dim: int) -> None:
    found = latent_statistics(torch.randn(count, dim))
    assert found.mean.shape == (dim,)
    assert found.covariance.shape == (dim, dim)
    assert found.covariance.isfinite().all()
