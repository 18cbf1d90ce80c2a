import pytest
import torch

from tests.training.sources import dataset, noise
from training.analysis.encoding import encoded_means
from training.analysis.latent_pca import reduced_by_pca
from training.data.dataset import Dataset
from vae.config import VAEConfig
from vae.model import VAE

DIM = 4


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(noise(40))


@pytest.fixture(scope="module")
def model() -> VAE:
    """Its encoded means vary in two directions only."""
    torch.manual_seed(0)
    model = VAE(VAEConfig("residual", 3, 32, latent_dim=DIM, widths=(8, 16))).eval()
    last = list(model.encoder.children())[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.weight[:DIM] = torch.randn(DIM, 2) @ last.weight[:2]
    return model


@torch.no_grad()
def test_axes_without_variance_are_dropped_without_a_change_of_the_images(
    model: VAE, data: Dataset
) -> None:
    reduced = reduced_by_pca(model, data, 2)
    assert reduced.config.latent_dim == 2
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = model.decode(model.encode(x).mean)
    torch.testing.assert_close(reduced.decode(reduced.encode(x).mean), expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_reduced_latents_are_centred_uncorrelated_and_of_unit_variance(
    model: VAE, data: Dataset
) -> None:
    reduced = reduced_by_pca(model, data, 2)
    means = encoded_means(reduced, data)
    x = torch.from_numpy(noise(40)).permute(0, 3, 1, 2) / 255
    posterior_variance = reduced.encode(x).logvar.exp().mean(0)
    covariance = torch.cov(means.T)
    torch.testing.assert_close(means.mean(0), torch.zeros(2), atol=1e-3, rtol=0)
    assert abs(float(covariance[0, 1])) < 1e-3
    total = covariance.diagonal() + posterior_variance
    torch.testing.assert_close(total, torch.ones(2), atol=0.02, rtol=0)


def test_all_dimensions_kept_returns_the_model_itself(model: VAE, data: Dataset) -> None:
    assert reduced_by_pca(model, data, DIM) is model
