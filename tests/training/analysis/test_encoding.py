import pytest
import torch

from tests.training.sources import dataset, noise
from training.analysis.encoding import encoded_means, residual_scale
from vae.config import VAEConfig
from vae.model import VAE


def small() -> VAE:
    torch.manual_seed(0)
    return VAE(VAEConfig("residual", 3, 32, latent_dim=4, widths=(8, 16))).eval()


def test_encoded_means_are_means_not_samples() -> None:
    model, data = small(), dataset(noise(40))
    first = encoded_means(model, data)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = encoded_means(model, data)
    assert again.equal(first)
    assert torch.get_rng_state().equal(before)  # nothing was sampled
    with torch.no_grad():
        x = torch.from_numpy(noise(40)).permute(0, 3, 1, 2) / 255
        torch.testing.assert_close(first, model.encode(x).mean, atol=1e-5, rtol=1e-5)


def test_encoded_means_follow_the_rows_of_the_split() -> None:
    model, data = small(), dataset(noise(6))
    shuffled = data.rows_at([4, 1])
    torch.testing.assert_close(encoded_means(model, shuffled), encoded_means(model, data)[[4, 1]])


def test_the_residual_scale_is_the_root_mean_squared_error() -> None:
    model, data = small(), dataset(noise(40))
    with torch.no_grad():
        x = torch.from_numpy(noise(40)).permute(0, 3, 1, 2) / 255
        error = model.decode(model.encode(x).mean) - x
    assert residual_scale(model, data) == pytest.approx(float(error.square().mean().sqrt()))
