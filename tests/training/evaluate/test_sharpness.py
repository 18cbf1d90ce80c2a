import pytest
import torch

from training.evaluate.sharpness import high_pass_energy, high_pass_share


def test_plain_pictures_have_no_fine_structure() -> None:
    assert high_pass_energy(torch.full((2, 3, 64, 64), 0.3)).max() < 1e-10


def test_a_fine_chequer_has_all_its_energy_there_and_a_coarse_wave_little() -> None:
    rows = torch.arange(256)[:, None]
    columns = torch.arange(256)
    chequer = ((rows + columns) % 2 - 0.5)[None, None]
    wave = 0.5 * torch.sin(2 * torch.pi * rows / 128).expand(256, 256)[None, None]
    assert high_pass_energy(chequer).item() == pytest.approx(0.25, rel=0.02)
    assert high_pass_energy(wave).item() < 0.001


def test_share_of_the_originals() -> None:
    x = torch.rand(2, 3, 64, 64)
    assert high_pass_share(0.5 * x, x) == pytest.approx(0.25)
