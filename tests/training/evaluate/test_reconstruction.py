import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal

from tests.training.evaluate.exact import PERFECT, PIXELS, SIZE, Exact, checkpoint
from tests.training.sources import dataset, noise
from training.evaluate.reconstruction import evaluate, psnr
from vae.config import VAEConfig
from vae.model import VAE


def test_psnr_of_known_errors() -> None:
    x = torch.full((3, 1, 4, 4), 0.5)
    y = x + torch.tensor([0.1, 0.5, 0.0]).reshape(3, 1, 1, 1)
    expected = [20.0, 20 * math.log10(2), PERFECT]
    assert psnr(x, y).tolist() == pytest.approx(expected, abs=1e-3)


def test_the_figures_of_a_perfect_model() -> None:
    images = noise(5, SIZE, channels=1)
    found = evaluate(checkpoint(Exact(), sigma=0.1), dataset(images))
    assert found["psnr_db"] == pytest.approx(PERFECT)
    assert found["ssim"] == pytest.approx(1.0)
    surplus = PIXELS * (math.log(0.1) + 0.5 * math.log(2 * math.pi))
    assert found["distortion_nats"] == pytest.approx(surplus, abs=1e-2)
    codes = images.reshape(5, -1) / 255.0
    rate = 0.5 * (np.exp(-30) + codes**2 - 1 + 30).sum(1).mean()
    assert found["rate_nats"] == pytest.approx(rate, rel=1e-5)
    assert found["elbo_nats"] == -(found["distortion_nats"] + found["rate_nats"])
    assert found["active_units"] == int((codes.var(0) > 0.01).sum())
    assert (found["latent_dim"], found["images"]) == (PIXELS, 5)
    assert "ms_ssim" not in found


def test_distortion_is_the_likelihood_of_the_pixels_that_the_checkpoint_names() -> None:
    """A Gaussian of its sigma, or Bernoulli: for latents of no variance both are known exactly."""
    data = dataset(noise(3, SIZE, channels=1))
    x = torch.from_numpy(data.images).permute(0, 3, 1, 2) / 255.0
    found = evaluate(checkpoint(Exact("sigmoid"), sigma=None), data)
    expected = -Bernoulli(logits=x - 0.5, validate_args=False).log_prob(x).sum() / 3  # type: ignore[no-untyped-call]
    assert found["distortion_nats"] == pytest.approx(float(expected), rel=1e-4)
    found = evaluate(checkpoint(Exact("sigmoid"), sigma=0.2), data)
    expected = -Normal((x - 0.5).sigmoid(), 0.2).log_prob(x).sum() / 3  # type: ignore[no-untyped-call]
    assert found["distortion_nats"] == pytest.approx(float(expected), rel=1e-4)


def test_figures_do_not_depend_on_the_random_state() -> None:
    torch.manual_seed(0)
    config = VAEConfig("residual", 3, 32, latent_dim=4, widths=(8, 16))
    found, data = checkpoint(VAE(config).eval()), dataset(noise(40))
    first = evaluate(found, data)
    torch.rand(3)
    assert evaluate(found, data) == first
    assert 0 < first["psnr_db"] < 30


def test_large_images_are_compared_at_several_scales_too() -> None:
    config = VAEConfig("residual", 1, 192, latent_dim=2, widths=(4, 4, 4, 4), blocks=0)
    found = evaluate(checkpoint(VAE(config).eval()), dataset(noise(2, 192, channels=1)))
    assert 0 <= found["ms_ssim"] < 1
