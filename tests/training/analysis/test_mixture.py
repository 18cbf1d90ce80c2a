import numpy as np
import pytest
import torch

from training.analysis.statistics import fit_mixture, statistics
from vae.latent import seeded_noise_and_uniform

CLUMPS = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]])


def clumped(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    which = torch.randint(len(CLUMPS), (count,), generator=generator)
    return CLUMPS[which] + 0.3 * torch.randn(count, 2, generator=generator)


def far_from_clumps(z: torch.Tensor) -> float:
    return float((torch.cdist(z, CLUMPS).amin(1) > 1.5).float().mean())


def test_it_draws_from_the_clumps_where_one_gaussian_draws_from_the_gaps() -> None:
    codes = clumped(600)
    mixture = fit_mixture(codes)
    assert mixture is not None
    noise, choice = seeded_noise_and_uniform(range(500), 2)
    assert far_from_clumps(mixture.sample(noise, choice)) < 0.01
    assert far_from_clumps(statistics(codes).sample(noise)) > 0.3


def test_it_is_the_same_each_time() -> None:
    first, second = fit_mixture(clumped(200)), fit_mixture(clumped(200))
    assert first is not None
    assert second is not None
    assert torch.equal(first.means, second.means)


def test_collapsed_and_constant_codes_still_give_a_prior() -> None:
    codes = clumped(200)
    codes[:, 1] = 0.0
    for flat in (codes, torch.zeros(200, 2)):
        mixture = fit_mixture(flat)
        assert mixture is not None
        assert mixture.factors.isfinite().all()
        assert mixture.means.isfinite().all()


def test_too_few_pictures_give_none() -> None:
    assert fit_mixture(clumped(15)) is None


def test_no_component_has_a_half_of_two_kinds() -> None:
    """Two long clouds beside each other: by distance alone they are cut across."""
    generator = torch.Generator().manual_seed(2)
    kind = torch.arange(160) % 2
    codes = torch.randn(160, 2, generator=generator) * torch.tensor([10.0, 0.2])
    codes[:, 1] += 2.0 * kind
    columns = {
        "age": np.linspace(20, 60, 160, dtype=np.float32),
        "kind": kind.numpy().astype(np.float32),
        "rare": (np.arange(160) == 3).astype(np.float32),
    }
    mixture = fit_mixture(codes, columns)
    assert mixture is not None
    heights = mixture.means[:, 1]
    assert ((heights.abs() < 0.3) | ((heights - 2).abs() < 0.3)).all()
    assert float(mixture.weights.sum()) == pytest.approx(1)
    drawn = mixture.sample(*seeded_noise_and_uniform(range(400), 2))[:, 1]
    assert float(((drawn - 1).abs() < 0.3).float().mean()) < 0.02


def test_what_is_not_known_of_a_picture_does_no_harm() -> None:
    codes = clumped(200)
    column = np.where(np.arange(200) % 3 == 0, np.nan, codes[:, 0] > 0).astype(np.float32)
    mixture = fit_mixture(codes, {"right": column})
    assert mixture is not None
    assert mixture.factors.isfinite().all()
