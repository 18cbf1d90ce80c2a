import torch

from tests.training.sources import dataset, noise
from tests.vae.checkpoints import some_checkpoint
from training.analysis.image_statistics import (
    calibrated_quantiles,
    cross_fitted_percentiles,
    generalisation_gap,
    image_statistics,
)
from training.evaluate.calibration import kolmogorov_smirnov
from vae.config import VAEConfig
from vae.pixels import to_uint8
from vae.score import elbo_terms, percentile, posterior_draw, quantiles

GENERATOR = torch.Generator().manual_seed(0)
TRAIN = 100 * torch.randn(3000, generator=GENERATOR, dtype=torch.float64)
TEST = 100 * torch.randn(400, generator=GENERATOR, dtype=torch.float64) - 40


def test_the_statistics_of_a_data_set() -> None:
    checkpoint = some_checkpoint(config=VAEConfig(size=32, latent_dim=3, widths=(8, 16)))
    model = checkpoint.model.eval()
    images = torch.from_numpy(noise(40))
    found = image_statistics(checkpoint, dataset(noise(40)))
    with torch.inference_mode():
        posterior = model.encode(images.permute(0, 3, 1, 2) / 255)
        decoded = to_uint8(model.decode(posterior_draw(posterior)))
    expected = elbo_terms(images, decoded, posterior, checkpoint.sigma).elbo_nats
    torch.testing.assert_close(found.elbo, expected, rtol=1e-4, atol=1.0)
    torch.testing.assert_close(found.means, posterior.mean, rtol=1e-4, atol=1e-4)
    expected = images.permute(0, 3, 1, 2).flatten(1) / 255  # of 32 pixels a side they are all
    torch.testing.assert_close(found.coarse_pixels, expected)


def test_quantiles_of_train_images_are_moved_to_the_mean_of_test_images() -> None:
    found = calibrated_quantiles(TRAIN, TEST)
    torch.testing.assert_close(found.diff(), quantiles(TRAIN).diff(), atol=1e-4, rtol=0)
    assert abs(float(percentile(TEST.mean()[None], found)) - 50) < 3
    assert torch.equal(calibrated_quantiles(TRAIN, TEST[:0]), quantiles(TRAIN))
    assert generalisation_gap(TRAIN, TEST[:0]) == 0


def test_the_percentiles_of_moved_images_are_uniform_and_without_the_move_they_are_not() -> None:
    _, p = kolmogorov_smirnov(cross_fitted_percentiles(TRAIN, TEST) / 100)
    assert p > 0.05
    _, p = kolmogorov_smirnov(percentile(TEST, quantiles(TRAIN)) / 100)
    assert p < 0.001


def test_no_image_is_judged_by_a_move_that_it_took_part_in() -> None:
    found = cross_fitted_percentiles(TRAIN, TEST)
    changed = TEST.clone()
    changed[7] -= 1e4
    others = cross_fitted_percentiles(TRAIN, changed) != found
    assert 150 <= int(others.sum()) <= 201  # the other half, and itself
