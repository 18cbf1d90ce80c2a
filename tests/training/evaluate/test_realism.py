import numpy as np
import pytest
import torch

from tests.training.sources import dataset
from training.evaluate.realism import realism
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.model import VAE
from vae.prior import LatentStatistics


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    config = VAEConfig(size=64, latent_dim=4, widths=(8, 8, 8), patch=4)
    return Checkpoint(VAE(config).eval(), LatentStatistics(torch.zeros(4), torch.eye(4)))


def test_smooth_reconstructions_lack_the_noise_of_their_originals(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.evaluate.realism.BLOCK", 6)
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    found = realism(checkpoint, dataset(noise))
    assert found["high_pass_share"] < 0.2
    for name in ("kid_faces", "kid_eyes"):
        assert found[name] > 3 * found[f"{name}_error"] > 0


def test_few_images_have_no_kernel_distance(checkpoint: Checkpoint) -> None:
    noise = np.zeros((3, 64, 64, 3), np.uint8)
    assert realism(checkpoint, dataset(noise)).keys() == {"high_pass_share"}
