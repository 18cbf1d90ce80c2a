"""Adversarial runs of a few steps on noise, from a small checkpoint."""

from collections.abc import Callable
from pathlib import Path

import torch

from tests.training.sources import dataset, noise
from training.data.augment import Augmentation
from training.data.dataset import Dataset
from training.fit.adversarial import AdversarialTrainer
from training.fit.adversarial_recipe import AdversarialRecipe
from training.fit.loop import Progress
from vae.checkpoint import Checkpoint
from vae.config import VAEConfig
from vae.directions import Direction
from vae.model import VAE
from vae.prior import GaussianMixture, LatentStatistics

DIM = 4
COUNT = 16
RECIPE = AdversarialRecipe(
    detail_channels=4,
    epochs=2,
    batch_size=4,
    warmup_steps=3,
    window=24,
    balance="glasses",
    augmentation=Augmentation(flip=True),
    seed=1,
)  # 8 steps


def start(seed: int = 0) -> Checkpoint:
    torch.manual_seed(seed)
    model = VAE(VAEConfig(size=32, latent_dim=DIM, patch=4, widths=(8, 12, 16))).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return Checkpoint(
        model,
        LatentStatistics(torch.randn(DIM), torch.eye(DIM)),
        {"glasses": Direction(torch.randn(DIM), "glasses", "regression", 12)},
        sigma=0.1,
        mixture=GaussianMixture(torch.ones(1), torch.zeros(1, DIM), torch.eye(DIM)[None]),
        sha256=str(seed),
    )


def images(count: int = COUNT) -> Dataset:
    return dataset(noise(count), {"glasses": [float(i % 4 == 0) for i in range(count)]})


def trainer(
    folder: Path, recipe: AdversarialRecipe = RECIPE, data: Dataset | None = None
) -> AdversarialTrainer:
    return AdversarialTrainer(recipe, data or images(), folder, torch.device("cpu"), start())


def ignore(_: Progress) -> None:
    pass


def stop_after(step: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.step > step:
            raise KeyboardInterrupt

    return report
