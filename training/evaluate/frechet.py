"""Fréchet distances between sets of pictures in the features of EfficientNet-Lite0.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
2017, equation 6, with another network: the figures compare with each other, not with any FID.
"""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from training.analysis.encoding import BATCH, batches, device_of
from training.analysis.features import SIZE, WIDTH, Backbone, resized
from training.data.sources import Dataset
from vae.checkpoint import Checkpoint
from vae.latent import seeded_noise
from vae.model import VAEConfig

PICTURES = 1000  # real ones and samples to compare; fewer make every distance longer
MIN_SIZE = 64  # pixels a side; what is smaller says little to the network


def applies(config: VAEConfig) -> bool:
    """Whether pictures of this model are such as the network knows: colour, and not tiny."""
    return config.channels == 3 and config.size >= MIN_SIZE


class _Pooled(nn.Module):
    """What torchmetrics asks of a network: pictures to ``(N, num_features)``."""

    num_features = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone().eval()

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.backbone(resized(x, SIZE))
        return features


@torch.inference_mode()
def distances(
    checkpoint: Checkpoint, train: Dataset, test: Dataset, pictures: int = PICTURES
) -> dict[str, float]:
    """How far what a model makes is from real pictures.

    Args:
        checkpoint: of a model of RGB pictures.
        train: what samples are compared with.
        test: what is reconstructed.
        pictures: how many train pictures, evenly spaced, and as many samples.

    Returns:
        ``reconstructions``, the distance of the test pictures' copies to the pictures; and that of
        samples of each prior, ``standard``, ``gaussian`` and ``mixture`` if there is one, to train
        pictures.
    """
    model = checkpoint.model
    device = device_of(model)
    metric = FrechetInceptionDistance(feature=_Pooled(), reset_real_features=False).to(device)

    def measured(made: Iterable[Tensor]) -> float:
        metric.reset()  # of what was made; the real pictures stay
        for x in made:
            metric.update(x, real=False)
        return float(metric.compute())

    def decoded(z: Tensor) -> Iterable[Tensor]:
        return (model.decode(part.to(device)) for part in torch.split(z, BATCH))

    step = max(1, len(train) // pictures)
    real = train.rows_at(range(0, len(train), step)[:pictures])
    for x in batches(real, device):
        metric.update(x, real=True)
    seeds = range(len(real))
    priors = {
        "standard": seeded_noise(seeds, model.config.latent_dim),
        "gaussian": replace(checkpoint, mixture=None).sample(seeds),
    }
    if checkpoint.mixture is not None:
        priors["mixture"] = checkpoint.sample(seeds)
    found = {name: measured(decoded(z)) for name, z in priors.items()}
    metric.reset_real_features = True
    metric.reset()
    metric.reset_real_features = False
    for x in batches(test, device):
        metric.update(x, real=True)
    copies = (model.decode(model.encode(x).mean) for x in batches(test, device))
    return {"reconstructions": measured(copies)} | found
