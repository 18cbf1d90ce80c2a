"""Fréchet distances between sets of images in the features of EfficientNet-Lite0.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
2017, equation 6, with another network: the figures compare with each other, not with any FID.
"""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from training import progress
from training.analysis.encoding import BATCH, batches, device_of
from training.analysis.features import SIZE, WIDTH, Backbone
from training.data.dataset import Dataset
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.latent import seeded_noise
from vae.pixels import resized

IMAGES = 1000  # real ones and samples to compare; fewer make every distance longer
MIN_IMAGES = 2  # of a split
MIN_SIZE = 64  # pixels a side; the network was not trained on less


def applies(config: VAEConfig) -> bool:
    """Whether the network can compare images of this model: colour, and not too small."""
    return config.channels == 3 and config.size >= MIN_SIZE


class _Pooled(nn.Module):
    """The network as torchmetrics calls it: images to ``(N, num_features)``."""

    num_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone().eval()

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.backbone(resized(x, SIZE))
        return features


@torch.inference_mode()
def distances(
    checkpoint: Checkpoint, train: Dataset, test: Dataset, images: int = IMAGES
) -> dict[str, float]:
    """Distances of reconstructions and samples to real images.

    Args:
        checkpoint: of a model of RGB images.
        train: what samples are compared with.
        test: what is reconstructed.
        images: how many train images, evenly spaced, and as many samples.

    Returns:
        ``reconstructions``, the distance of the reconstructed test images to the originals; and
        that of samples of each prior, ``standard``, ``gaussian`` and ``mixture`` if there is one,
        to train images.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance  # takes seconds

    model = checkpoint.model
    device = device_of(model)
    metric = FrechetInceptionDistance(feature=_Pooled(), reset_real_features=False).to(device)

    def distance(generated: Iterable[Tensor]) -> float:
        metric.reset()  # of generated images; the real ones stay
        for x in generated:
            metric.update(x, real=False)
        return float(metric.compute())

    def decoded(z: Tensor) -> Iterable[Tensor]:
        parts = progress.counted(torch.split(z, BATCH), len(z))
        return (model.decode(part.to(device)) for part in parts)

    real = train.evenly_spaced(images)
    for x in batches(real, device):
        metric.update(x, real=True)
    seeds = range(len(real))
    priors = {
        "standard": seeded_noise(seeds, model.config.latent_dim),
        "gaussian": replace(checkpoint, mixture=None).sample(seeds),
    }
    if checkpoint.mixture is not None:
        priors["mixture"] = checkpoint.sample(seeds)
    by_prior = {name: distance(decoded(z)) for name, z in priors.items()}
    metric.reset_real_features = True
    metric.reset()
    metric.reset_real_features = False
    for x in batches(test, device):
        metric.update(x, real=True)
    reconstructions = (model.decode(model.encode(x).mean) for x in batches(test, device))
    return {"reconstructions": distance(reconstructions)} | by_prior
