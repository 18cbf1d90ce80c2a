from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.vae.test_checkpoint import some_checkpoint
from vae.checkpoint import CheckpointError, load, save
from vae.latent import GaussianMixture, seeded_noise_and_uniform

DIM = 3
MIXTURE = GaussianMixture(
    weights=torch.tensor([0.25, 0.75]),
    means=torch.tensor([[-10.0, 0.0, 0.0], [10.0, 1.0, 0.0]]),
    factors=torch.stack([torch.eye(DIM), torch.diag(torch.tensor([2.0, 1.0, 0.5]))]),
)


def test_components_are_drawn_by_their_weight_and_spread_as_they_say() -> None:
    seeds = range(4000)
    z = MIXTURE.sample(*seeded_noise_and_uniform(seeds, DIM))
    second = z[:, 0] > 0
    assert second.float().mean().item() == pytest.approx(0.75, abs=0.03)
    torch.testing.assert_close(z[second].mean(0), MIXTURE.means[1], atol=0.15, rtol=0)
    torch.testing.assert_close(z[second].std(0), torch.tensor([2.0, 1.0, 0.5]), atol=0.1, rtol=0)


def test_temperature_scales_the_noise_alone() -> None:
    noise, choice = torch.ones(2, DIM), torch.tensor([0.1, 0.9])
    assert torch.equal(MIXTURE.sample(noise, choice, 0.0), MIXTURE.means)
    one, two = MIXTURE.sample(noise, choice, 1.0), MIXTURE.sample(noise, choice, 2.0)
    torch.testing.assert_close(two - MIXTURE.means, 2 * (one - MIXTURE.means))


@pytest.mark.parametrize("choice", [0.0, 1.0 - 2**-24])
def test_every_choice_picks_a_component(choice: float) -> None:
    thirds = GaussianMixture(torch.full((3,), 1 / 3), torch.eye(3), torch.eye(3).expand(3, 3, 3))
    z = thirds.sample(torch.zeros(1, 3), torch.tensor([choice]))
    assert torch.equal(z[0], thirds.means[0 if choice == 0.0 else 2])


def test_a_draw_depends_on_its_own_seed_alone() -> None:
    checkpoint = replace(some_checkpoint(), mixture=MIXTURE)
    together = checkpoint.sample([3, 4, 5])
    torch.testing.assert_close(checkpoint.sample([5])[0], together[2])
    assert not torch.equal(together[0], together[1])


def test_it_comes_back_from_a_checkpoint(tmp_path: Path) -> None:
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
