from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tests.training.sources import dataset, disc
from training.analysis.features import Backbone
from training.data.dataset import Dataset
from training.evaluate import frechet
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.gaussian import DiagonalGaussian
from vae.model import VAE
from vae.pixels import resized
from vae.prior import GaussianMixture, LatentStatistics

SIZE = 64
GROUNDS = 8


class Remembering(VAE):
    """Its one latent is the number of an image; numbers below zero are grey."""

    def __init__(self, images: Tensor, spoil: float = 0.0) -> None:
        config = VAEConfig("residual", 3, SIZE, latent_dim=1, widths=(4,), blocks=0)
        super().__init__(config)
        self.images, self.spoil = images, spoil

    def encode(self, x: Tensor) -> DiagonalGaussian:
        which = (x[:, None] - self.images[None]).flatten(2).abs().mean(2).argmin(1).float()
        return DiagonalGaussian(which[:, None], torch.full((len(x), 1), -30.0))

    def decode(self, z: Tensor) -> Tensor:
        which = z[:, 0].round().long()
        found = self.images[which.clamp(0, len(self.images) - 1)]
        grey = (which < 0).float()[:, None, None, None]
        return (1 - grey) * ((1 - self.spoil) * found + self.spoil * 0.5) + grey * 0.5


def discs(first: int) -> Dataset:
    images = [np.asarray(disc(i, SIZE, SIZE)) for i in range(first, first + GROUNDS)]
    return dataset(np.stack(images))


def tensors(data: Dataset) -> Tensor:
    return data.batch(range(len(data))).permute(0, 3, 1, 2) / 255.0


def checkpoint(model: VAE) -> Checkpoint:
    """One Gaussian that draws grey mostly, and a mixture of a point at each image."""
    nowhere = LatentStatistics(torch.full((1,), -5.0), torch.ones(1, 1))
    points = torch.arange(GROUNDS).float()[:, None]
    mixture = GaussianMixture(
        torch.full((GROUNDS,), 1 / GROUNDS), points, torch.zeros(GROUNDS, 1, 1)
    )
    return Checkpoint(model, nowhere, mixture=mixture)


def test_images_that_are_closer_have_the_shorter_distance() -> None:
    data = discs(0)
    exact = frechet.distances(checkpoint(Remembering(tensors(data))), data, data)
    assert exact.keys() == {"reconstructions", "standard", "gaussian", "mixture"}
    assert abs(exact["reconstructions"]) < 0.05
    assert exact["mixture"] < 0.5 * exact["gaussian"]
    spoilt = frechet.distances(checkpoint(Remembering(tensors(data), spoil=0.5)), data, data)
    assert spoilt["reconstructions"] > exact["reconstructions"] + 1
    assert spoilt["mixture"] > exact["mixture"]
    without = replace(checkpoint(Remembering(tensors(data))), mixture=None)
    few = data.rows_at([0, 1])
    assert frechet.distances(without, few, few).keys() == exact.keys() - {"mixture"}


def test_only_images_that_the_network_can_read_are_measured() -> None:
    assert frechet.applies(VAEConfig(size=64))
    assert not frechet.applies(VAEConfig(size=32))
    assert not frechet.applies(VAEConfig(channels=1))


def test_each_image_has_its_own_features() -> None:
    network = Backbone().eval()
    assert sum(p.numel() for p in network.parameters()) == 2_958_848
    with torch.inference_mode():
        x = torch.rand(2, 3, 64, 96)
        found = network(x)
        assert found.shape == (2, 320)
        assert network(x[1:]).allclose(found[1:], atol=1e-3)
        assert not found[0].allclose(found[1], atol=0.1)


def test_resizing_a_plain_image_leaves_it_plain() -> None:
    assert resized(torch.full((1, 3, 256, 256), 0.25), 64).allclose(torch.tensor(0.25))
    x = torch.rand(1, 3, 64, 64)
    assert resized(x, 64) is x
